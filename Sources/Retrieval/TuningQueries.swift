internal import Base

/// Queries that an index is tuned with when none are given.
enum TuningQueries {
  /// Means of 5 to 20 titles from one to three lists, as profiles are.
  static func make(
    _ source: some VectorSource, assigned: [UInt32], lists: Lists, count: Int, seed: UInt64
  ) -> [Float] {
    var random = SplitMix(seed: seed ^ 0x7175_6572)
    let dimensions = source.dimensions
    var queries = [Float](repeating: 0, count: count * dimensions)
    var vector = [Float](repeating: 0, count: dimensions)
    for query in 0..<count {
      let tastes = (0..<Int.random(in: 1...3, using: &random)).map { _ in
        Int(assigned[Int.random(in: 0..<source.count, using: &random)])
      }
      for _ in 0..<Int.random(in: 5...20, using: &random) {
        let list = tastes[Int.random(in: 0..<tastes.count, using: &random)]
        let place = Int.random(in: Int(lists.offsets[list])..<Int(lists.offsets[list + 1]), using: &random)
        let ordinal = Int(lists.ordinals[place])
        vector.withUnsafeMutableBufferPointer { source.copy(ordinal..<ordinal + 1, into: $0) }
        // Few weigh much, as watching does.
        let chance = Float.random(in: 0...1, using: &random)
        let weight = chance * chance * chance + 0.02
        for dimension in 0..<dimensions {
          queries[query * dimensions + dimension] += weight * vector[dimension]
        }
      }
    }
    return queries
  }
}
