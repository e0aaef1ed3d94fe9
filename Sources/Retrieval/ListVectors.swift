/// The vectors of titles in the order of their lists.
struct ListVectors<Source: VectorSource> {
  let source: Source
  let lists: Lists
  let centroids: Centroids

  var dimensions: Int { source.dimensions }

  /// Of the titles at `places`.
  func copy(_ places: Range<Int>, into rows: UnsafeMutablePointer<Float>) {
    for (row, place) in places.enumerated() {
      let ordinal = Int(lists.ordinals[place])
      source.copy(
        ordinal..<ordinal + 1,
        into: UnsafeMutableBufferPointer(start: rows + row * dimensions, count: dimensions))
    }
  }

  /// Makes residuals of them: what lies between a title and its list's centroid.
  func subtractCentroids(from rows: UnsafeMutablePointer<Float>, of places: Range<Int>) {
    guard !places.isEmpty else { return }
    var list = lists.list(of: places.lowerBound)
    centroids.values.withUnsafeBufferPointer { centroids in
      for (row, place) in places.enumerated() {
        while place >= Int(lists.offsets[list + 1]) { list += 1 }
        for dimension in 0..<dimensions {
          rows[row * dimensions + dimension] -= centroids[list * dimensions + dimension]
        }
      }
    }
  }

  /// Residuals of a sample of `count` titles, spread evenly over the lists; `body` has them 256 at a time, with their places.
  func forResiduals(
    count: Int, _ body: (_ places: [Int], _ rows: UnsafeMutablePointer<Float>) -> Void
  ) {
    withUnsafeTemporaryAllocation(of: Float.self, capacity: 256 * dimensions) { rows in
      guard let start = rows.baseAddress else { return }
      for begin in stride(from: 0, to: count, by: 256) {
        let places = (begin..<min(count, begin + 256)).map { $0 * lists.ordinals.count / count }
        for (row, place) in places.enumerated() {
          copy(place..<place + 1, into: start + row * dimensions)
          subtractCentroids(from: start + row * dimensions, of: place..<place + 1)
        }
        body(places, start)
      }
    }
  }
}
