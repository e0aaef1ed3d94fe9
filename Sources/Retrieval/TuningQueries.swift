internal import Base
internal import CKernels

/// Queries that an index is tuned with when none are given: means of 5 to 20 titles of one to three tastes, as profiles are.
///
/// A taste is what lies around a title in some lists, not in one, whose centroid such a mean would come close to. Measured on
/// made-up titles of 100,000 to 10 million, these queries have as much of their neighbours in as many lists as the
/// benchmark's, which are drawn from clusters that lists know nothing of.
struct TuningQueries<Source: VectorSource> {
  let source: Source
  let centroids: Centroids
  let lists: Lists
  private var random: SplitMix

  init(_ source: Source, _ centroids: Centroids, _ lists: Lists, seed: UInt64) {
    self.source = source
    self.centroids = centroids
    self.lists = lists
    random = SplitMix(seed: seed ^ 0x7175_6572)
  }

  /// Lists of a taste, each number as often. More where there are more lists: a taste is a share of the titles, which lists
  /// divide more finely the more they are.
  private var tasteSizes: [Int] {
    let finer = max(1, Float(centroids.count) / 2000)
    return [4, 5, 6, 7, 8, 10, 13, 16].map { Int(($0 * finer).rounded()) }
  }

  /// `count` rows of the source's dimensions.
  mutating func make(count: Int) -> [Float] {
    let dimensions = source.dimensions
    let sizes = tasteSizes
    var queries = [Float](repeating: 0, count: count * dimensions)
    for query in 0..<count {
      // In turn, not by chance: each kind of query is there as often as it should be.
      let tastes = (0...query % 3).map {
        taste(sizes[(query / 3 + 3 * $0) % sizes.count])
      }
      for _ in 0..<5 + query / 3 % 16 {
        let vector = vector(member(of: tastes[Int.random(in: 0..<tastes.count, using: &random)]))
        let weight = weight()
        for dimension in 0..<dimensions {
          queries[query * dimensions + dimension] += weight * vector[dimension]
        }
      }
    }
    return queries
  }

  private func vector(_ ordinal: Int) -> [Float] {
    var vector = [Float](repeating: 0, count: source.dimensions)
    vector.withUnsafeMutableBufferPointer { source.copy(ordinal..<ordinal + 1, into: $0) }
    return vector
  }

  /// The `size` lists nearest to a title that have any.
  private mutating func taste(_ size: Int) -> [Int] {
    let middle = vector(Int.random(in: 0..<source.count, using: &random))
    let dimensions = source.dimensions
    var products = [Float](repeating: 0, count: centroids.count)
    mk_active().pointee.dot_floats(
      centroids.values, dimensions, centroids.count, middle, dimensions, &products)
    let keys = products.indices.filter { lists.offsets[$0] < lists.offsets[$0 + 1] }.map { list in
      let centroid = centroids.values[list * dimensions..<(list + 1) * dimensions]
      return mk_key(products[list] - centroid.reduce(0) { $0 + $1 * $1 } / 2, UInt32(list))
    }
    return keys.sorted(by: >).prefix(size).map { Int(mk_key_ordinal($0)) }
  }

  private mutating func member(of taste: [Int]) -> Int {
    let sizes = taste.map { Int(lists.offsets[$0 + 1] - lists.offsets[$0]) }
    var place = Int.random(in: 0..<sizes.reduce(0, +), using: &random)
    for (list, size) in zip(taste, sizes) {
      if place < size { return Int(lists.ordinals[Int(lists.offsets[list]) + place]) }
      place -= size
    }
    preconditionFailure("a taste has as many titles as its lists")
  }

  /// Few weigh much, as watching does: about the logarithm of a chance, which no two machines' libraries round alike.
  private mutating func weight() -> Float {
    let chance = Float.random(in: 0x1p-20...0x1p0, using: &random)
    return 0.02 - (Float(chance.exponent) + chance.significand - 1)
  }
}
