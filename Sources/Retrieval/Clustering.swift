internal import Base
internal import CKernels

/// K-means by Lloyd's iterations on a sample: the same seed gives the same centroids, whatever the threads and kernels.
struct Clustering {
  var listCount: Int
  var iterationCount: Int
  var seed: UInt64
  var threads: Int

  /// Clusters `sample`, rows of `dimensions` floats. There are as many centroids as asked for, or as there are rows.
  ///
  /// `progress` gets the share that is done.
  func run(_ sample: [Float], dimensions: Int, progress: (Double) -> Void) -> Centroids {
    let rowCount = sample.count / dimensions
    var random = SplitMix(seed: seed)
    let start = start(sample, rowCount: rowCount, dimensions: dimensions, random: &random)
    return iterate(start, sample, random: &random, progress: progress)
  }

  private func iterate(
    _ start: Centroids, _ sample: [Float], random: inout SplitMix, progress: (Double) -> Void
  ) -> Centroids {
    let dimensions = start.dimensions
    var centroids = start
    for iteration in 0..<iterationCount {
      let assigner = Assigner(centroids)
      let lists = assigner.assign(VectorRows(sample, dimensions: dimensions), threads: threads) { _ in }.lists
      centroids = Centroids(
        middles(of: sample, lists: lists, count: centroids.count, dimensions: dimensions, random: &random),
        dimensions: dimensions)
      progress(Double(iteration + 1) / Double(iterationCount))
    }
    return centroids
  }

  /// Lloyd's iterations from centroids that are given.
  static func refine(_ start: Centroids, with sample: [Float], iterationCount: Int) -> Centroids {
    let clustering = Clustering(listCount: start.count, iterationCount: iterationCount, seed: 1, threads: 1)
    var random = SplitMix(seed: clustering.seed)
    return clustering.iterate(start, sample, random: &random) { _ in }
  }

  /// Different rows of the sample, by chance.
  private func start(
    _ sample: [Float], rowCount: Int, dimensions: Int, random: inout SplitMix
  ) -> Centroids {
    var order = Array(0..<rowCount)
    let count = min(listCount, rowCount)
    var values: [Float] = []
    values.reserveCapacity(count * dimensions)
    for place in 0..<count {
      order.swapAt(place, Int.random(in: place..<rowCount, using: &random))
      values += sample[order[place] * dimensions..<(order[place] + 1) * dimensions]
    }
    return Centroids(values, dimensions: dimensions)
  }

  /// The mean of each list's rows. One that nobody chose takes a row of the largest list instead.
  private func middles(
    of sample: [Float], lists: [UInt32], count: Int, dimensions: Int, random: inout SplitMix
  ) -> [Float] {
    var sums = [Float](repeating: 0, count: count * dimensions)
    var sizes = [Int](repeating: 0, count: count)
    sums.withUnsafeMutableBufferPointer { sums in
      sample.withUnsafeBufferPointer { sample in
        for (row, list) in lists.enumerated() {
          let to = Int(list) * dimensions
          let from = row * dimensions
          sizes[Int(list)] += 1
          for dimension in 0..<dimensions { sums[to + dimension] += sample[from + dimension] }
        }
      }
    }
    for list in 0..<count where sizes[list] > 0 {
      let share = 1 / Float(sizes[list])
      for place in list * dimensions..<(list + 1) * dimensions { sums[place] *= share }
    }
    guard sizes.contains(0) else { return sums }
    var members: [Int: [Int]] = [:]
    var claimed = sizes
    for list in 0..<count where sizes[list] == 0 {
      guard let largest = claimed.indices.max(by: { claimed[$0] < claimed[$1] }), claimed[largest] > 1 else {
        break
      }
      // As if the newcomer will take half of them.
      claimed[largest] -= claimed[largest] / 2
      let rows = members[largest] ?? lists.indices.filter { lists[$0] == UInt32(largest) }
      members[largest] = rows
      let row = rows[Int.random(in: 0..<rows.count, using: &random)]
      for dimension in 0..<dimensions {
        sums[list * dimensions + dimension] = sample[row * dimensions + dimension]
      }
    }
    return sums
  }
}

/// Finds the nearest centroid of vectors, by Euclidean distance: the largest of x·c - c·c/2.
struct Assigner {
  private let panels: [Float]
  private let bias: [Float]
  private let count: Int
  private let dimensions: Int

  init(_ centroids: Centroids) {
    count = centroids.count
    dimensions = centroids.dimensions
    let padded = (count + Int(MK_PANEL) - 1) / Int(MK_PANEL) * Int(MK_PANEL)
    var panels = [Float](repeating: 0, count: padded * dimensions)
    mk_pack_transposed(centroids.values, dimensions, dimensions, count, &panels)
    var bias = [Float](repeating: -.infinity, count: padded)
    for list in 0..<count {
      var square: Float = 0
      for place in list * dimensions..<(list + 1) * dimensions {
        square += centroids.values[place] * centroids.values[place]
      }
      bias[list] = -square / 2
    }
    self.panels = panels
    self.bias = bias
  }

  /// The list of each vector, and the first ordinal whose vector isn't finite, if any.
  func assign(
    _ source: some VectorSource, threads: Int, progress: (Double) -> Void
  ) -> (lists: [UInt32], badOrdinal: Int?) {
    let kernels = mk_active()
    var lists = [UInt32](repeating: 0, count: source.count)
    var bad = [Int?](repeating: nil, count: max(threads, 1))
    let block = 256
    // In strides, so that progress is told from the caller's thread.
    let stride = max(block, (source.count / 50 + block - 1) / block * block)
    var begin = 0
    while begin < source.count {
      let end = min(source.count, begin + stride)
      lists.withUnsafeMutableBufferPointer { lists in
        bad.withUnsafeMutableBufferPointer { bad in
          forEachBlock(of: end - begin, blockCount: block, threads: threads) { range, worker in
            withUnsafeTemporaryAllocation(of: Float.self, capacity: block * (dimensions + 1)) { rows in
              source.copy(range.lowerBound + begin..<range.upperBound + begin, into: rows)
              guard let start = rows.baseAddress, let out = lists.baseAddress else { return }
              let values = start + block * dimensions
              kernels.pointee.nearest(
                start, dimensions, range.count, dimensions, panels, bias, count,
                out + begin + range.lowerBound, values)
              // One coordinate that isn't finite leaves no finite product with any centroid.
              for row in 0..<range.count where !values[row].isFinite {
                let ordinal = begin + range.lowerBound + row
                bad[worker] = min(bad[worker] ?? ordinal, ordinal)
              }
            }
          }
        }
      }
      begin = end
      progress(Double(end) / Double(source.count))
    }
    return (lists, bad.compactMap { $0 }.min())
  }
}
