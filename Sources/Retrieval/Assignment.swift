internal import Base

/// What one pass over all titles finds out: each one's list, how far lists reach, and how large coordinates get.
struct Assignment {
  private(set) var lists: [UInt32]
  /// The squared distance of each title from its list's centroid.
  private(set) var distances: [Float]
  /// The largest magnitude of each turned coordinate.
  private(set) var largest: [Float]
  /// The first ordinal whose vector isn't finite, if any.
  private(set) var badOrdinal: Int?

  init(
    _ source: some VectorSource, rotation: Rotation, centroids: Centroids, threads: Int,
    progress: (Double) -> Void
  ) {
    let assigner = Assigner(centroids)
    let (dimensions, head) = (source.dimensions, centroids.dimensions)
    let workers = max(threads, 1)
    self.largest = []
    lists = [UInt32](repeating: 0, count: source.count)
    distances = [Float](repeating: 0, count: source.count)
    var bad = [Int?](repeating: nil, count: workers)
    var largest = [Float](repeating: 0, count: workers * dimensions)
    lists.withUnsafeMutableBufferPointer { lists in
      distances.withUnsafeMutableBufferPointer { distances in
        bad.withUnsafeMutableBufferPointer { bad in
          largest.withUnsafeMutableBufferPointer { largest in
            forEachTurnedBlock(of: source, rotation: rotation, threads: workers, progress: progress) {
              rows, range, worker in
              guard let toLists = lists.baseAddress, let products = distances.baseAddress else { return }
              assigner.assign(
                rows, stride: dimensions, count: range.count, lists: toLists + range.lowerBound,
                products: products + range.lowerBound)
              for (index, ordinal) in range.enumerated() {
                let row = rows + index * dimensions
                // One coordinate that isn't finite leaves no finite product with any centroid.
                if !distances[ordinal].isFinite { bad[worker] = min(bad[worker] ?? ordinal, ordinal) }
                var square: Float = 0
                for place in 0..<head { square += row[place] * row[place] }
                distances[ordinal] = max(0, square - 2 * distances[ordinal])
                for place in 0..<dimensions {
                  let at = worker * dimensions + place
                  largest[at] = max(largest[at], abs(row[place]))
                }
              }
            }
          }
        }
      }
    }
    badOrdinal = bad.compactMap { $0 }.min()
    self.largest = (0..<dimensions).map { place in
      (0..<workers).reduce(0) { max($0, largest[$1 * dimensions + place]) }
    }
  }

  /// How far titles lie from their list's centroid, a dimension: the root of the mean square. Lists of few or equal
  /// titles reach a quarter as far as is usual, for what a tail may bring.
  func radii(listCount: Int, head: Int) -> [Float] {
    var sums = [Double](repeating: 0, count: listCount)
    var sizes = [Int](repeating: 0, count: listCount)
    for (ordinal, list) in lists.enumerated() {
      sums[Int(list)] += Double(distances[ordinal])
      sizes[Int(list)] += 1
    }
    let usual = (sums.reduce(0, +) / Double(max(lists.count, 1) * head)).squareRoot()
    return (0..<listCount).map { list in
      let mean = sums[list] / Double(max(sizes[list], 1) * head)
      return Float(max(mean.squareRoot(), usual / 4))
    }
  }
}

/// Turns all vectors and hands them on, some hundred at a time, on several threads: see ``forEachBlock(of:blockCount:threads:_:)``.
///
/// `progress` is called on the caller's thread.
func forEachTurnedBlock(
  of source: some VectorSource, rotation: Rotation, threads: Int, progress: (Double) -> Void,
  _ body: (_ rows: UnsafePointer<Float>, _ ordinals: Range<Int>, _ worker: Int) -> Void
) {
  let dimensions = source.dimensions
  let block = 256
  let stride = max(block, (source.count / 50 + block - 1) / block * block)
  var begin = 0
  while begin < source.count {
    let end = min(source.count, begin + stride)
    forEachBlock(of: end - begin, blockCount: block, threads: threads) { range, worker in
      withUnsafeTemporaryAllocation(of: Float.self, capacity: 2 * block * dimensions) { rows in
        guard let whole = rows.baseAddress else { return }
        let ordinals = range.lowerBound + begin..<range.upperBound + begin
        source.copy(ordinals, into: rows)
        let turned = whole + block * dimensions
        rotation.turn(whole, rows: range.count, count: dimensions, to: turned)
        body(turned, ordinals, worker)
      }
    }
    begin = end
    progress(Double(end) / Double(source.count))
  }
}
