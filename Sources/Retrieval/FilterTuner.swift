internal import Base
internal import CKernels

/// What filters do to recall, measured by searching with some.
extension EffortTuner {
  /// What filters must add to the reach of an effort for its recall; nothing where that can't be said.
  func filterLaw(_ source: some VectorSource, effort: SearchEffort, threads: Int, recall: Float) -> FilterLaw
  {
    guard effort.reach.isFinite else { return FilterLaw() }
    func least(_ ordinals: [UInt32], law: (Float) -> FilterLaw) -> FilterLaw {
      guard let truth = filterTruth(source, ordinals: ordinals, threads: threads) else { return law(0) }
      var (low, high) = (-Self.reachTried, Self.reachTried)
      let most = recallOf(law(high), effort, truth)
      guard most >= recall - Self.surplus else { return law(0) }
      // Codes may lose more than lists do: then nearly all that there is to find.
      let wanted = min(recall + Self.surplus, most - 0.001)
      // By halves: recall rises with the reach.
      for _ in 0..<11 {
        let middle = (low + high) / 2
        (low, high) = recallOf(law(middle), effort, truth) >= wanted ? (low, middle) : (middle, high)
      }
      return law(high)
    }
    let chance = least(byChance) { FilterLaw(chanceReach: $0) }
    return least(byLists) { FilterLaw(chanceReach: chance.chanceReach, listsReach: $0) }
  }

  private static var reachTried: Float { 0.5 }
  /// Queries that come lose so much more than these do when few titles pass.
  private static var surplus: Float { 0.0075 }
  /// Fewer titles than so many times k say nothing of the best k of them.
  private static var countMin: Int { 20 }

  // MARK: Filters

  /// Each twentieth title.
  var byChance: [UInt32] {
    stride(from: 0, to: UInt32(index.count), by: FilterLaw.sparseShare).map { $0 }
  }

  /// The titles of each twentieth group of five lists, or about: as licences of a studio's titles are. Of two where those are
  /// too few to say anything.
  var byLists: [UInt32] {
    let groups = groups
    var ordinals: [UInt32] = []
    for residue in 0..<2 where ordinals.count < Self.countMin * k {
      for list in 0..<groups.count where groups[list] % FilterLaw.sparseShare == residue {
        ordinals += index.ordinals[Int(index.offsets[list])..<Int(index.offsets[list + 1])]
      }
    }
    return ordinals.sorted()
  }

  /// The group of each list: that of the nearest among each fifth of them.
  private var groups: [Int] {
    guard let centroids = index.centroids else { return [] }
    let dimensions = index.dimensions
    let seeds = stride(from: 0, to: index.listCount, by: 5).map { $0 }
    let rows = seeds.flatMap { centroids.values[$0 * dimensions..<($0 + 1) * dimensions] }
    let halves = seeds.indices.map { seed in
      rows[seed * dimensions..<(seed + 1) * dimensions].reduce(0) { $0 + $1 * $1 } / 2
    }
    var products = [Float](repeating: 0, count: seeds.count)
    return (0..<index.listCount).map { list in
      let centroid = Array(centroids.values[list * dimensions..<(list + 1) * dimensions])
      mk_active().pointee.dot_floats(rows, dimensions, seeds.count, centroid, dimensions, &products)
      return seeds.indices.max { products[$0] - halves[$0] < products[$1] - halves[$1] } ?? 0
    }
  }

  /// A filter, and the queries' neighbours among what it lets pass.
  struct FilterTruth: Equatable {
    var words: [UInt64]
    /// Titles that pass.
    var count: Int
    var keys: [[UInt64]]
  }

  /// `nil` when the titles are too few to say anything.
  func filterTruth(_ source: some VectorSource, ordinals: [UInt32], threads: Int) -> FilterTruth? {
    guard ordinals.count >= Self.countMin * k else { return nil }
    var words = [UInt64](repeating: 0, count: (index.count + 63) / 64)
    for ordinal in ordinals { words[Int(ordinal >> 6)] |= 1 << UInt64(ordinal & 63) }
    let some = SomeVectors(source: source, ordinals: ordinals)
    let keys = ExactNeighbours(source: some, queries: queries, k: k, threads: threads).keys { _ in }
      .map { $0.map { mk_key(mk_key_score($0), ordinals[Int(mk_key_ordinal($0))]) } }
    return FilterTruth(words: words, count: ordinals.count, keys: keys)
  }

  /// What an effort reaches with a filter and a law for it, on the low side.
  func recallOf(_ law: FilterLaw, _ effort: SearchEffort, _ truth: FilterTruth) -> Float {
    var other = index
    other.filterLaw = law
    let alone = PartitionedIndex(alone: other)
    var plain = effort
    plain.refines = false
    var shares = Shares()
    truth.words.withUnsafeBufferPointer { words in
      guard let start = words.baseAddress else { return }
      let allowed = OrdinalFilter(words: start, bitCount: index.count, allowedCount: truth.count)
      forEachQuery(of: alone, effort: plain, allowed: allowed, truth: truth.keys) { outcome, isFound, count in
        let found =
          effort.refines
          ? foundAmongHeld(isFound) : (0..<outcome.count).count { isFound(scratch.ordinals[$0]) }
        shares.add(found, of: count)
      }
    }
    return effort.refines ? shares.low - Self.refinedLoss : shares.low
  }
}

/// Some vectors of a source.
struct SomeVectors<Source: VectorSource>: VectorSource {
  let source: Source
  let ordinals: [UInt32]

  var count: Int { ordinals.count }
  var dimensions: Int { source.dimensions }

  func copy(_ places: Range<Int>, into rows: UnsafeMutableBufferPointer<Float>) {
    for (row, ordinal) in ordinals[places].enumerated() {
      let range = row * dimensions..<(row + 1) * dimensions
      source.copy(
        Int(ordinal)..<Int(ordinal) + 1, into: UnsafeMutableBufferPointer(rebasing: rows[range]))
    }
  }
}
