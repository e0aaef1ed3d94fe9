internal import CKernels

/// Which share of their neighbours some queries have in the lists that rank first: what a search finds at most.
struct ListCoverage {
  /// How much of a list's spread counted where lists were ranked.
  let spreadWeight: Float
  /// `shares[n]` is of the first n + 1 lists, on the low side.
  private let shares: [Float]
  /// Titles in them, on the mean.
  private let titles: [Double]

  /// The weight that leaves the fewest titles to be looked at.
  static func best(_ index: VectorIndex, queries: [Float], truth: [[UInt32]]) -> ListCoverage {
    let ranking = ListRanking(index, queries: queries, truth: truth)
    var best = ListCoverage(ranking, spreadWeight: 0)
    for tenths in 1...weightTenthsMax {
      let other = ListCoverage(ranking, spreadWeight: Float(tenths) / 10)
      if other.titles(share: shareForWeight) < best.titles(share: shareForWeight) { best = other }
    }
    return best
  }

  /// With a weight that was chosen.
  init(_ index: VectorIndex, queries: [Float], truth: [[UInt32]], spreadWeight: Float) {
    self.init(ListRanking(index, queries: queries, truth: truth), spreadWeight: spreadWeight)
  }

  private static var weightTenthsMax: Int { 8 }
  /// What the usual recall needs.
  private static var shareForWeight: Float { 0.96 }

  private init(_ ranking: ListRanking, spreadWeight: Float) {
    var found = [Shares](repeating: Shares(), count: ranking.listCount)
    var titles = [Double](repeating: 0, count: ranking.listCount)
    for query in 0..<ranking.queryCount {
      var (foundCount, titleCount) = (0, 0)
      for (rank, list) in ranking.order(query, spreadWeight: spreadWeight).enumerated() {
        foundCount += ranking.held[query][list]
        titleCount += ranking.sizes[list]
        found[rank].add(foundCount, of: ranking.neighbourCounts[query])
        titles[rank] += Double(titleCount) / Double(ranking.queryCount)
      }
    }
    self.spreadWeight = spreadWeight
    self.titles = titles
    shares = found.map(\.low)
  }

  /// The fewest lists that have so large a share.
  func probes(share: Float) -> Int { (shares.firstIndex { $0 >= share } ?? shares.count - 1) + 1 }

  private func titles(share: Float) -> Double { titles[probes(share: share) - 1] }
}

/// Scores of all lists for some queries, and where their neighbours lie.
private struct ListRanking {
  let listCount: Int
  let queryCount: Int
  let sizes: [Int]
  /// Of each query, its neighbours in each list, and all of them.
  private(set) var held: [[Int]] = []
  let neighbourCounts: [Int]
  private var scores: [[Float]] = []
  private var spreads: [[Float]] = []

  init(_ index: VectorIndex, queries: [Float], truth: [[UInt32]]) {
    listCount = index.listCount
    queryCount = truth.count
    neighbourCounts = truth.map(\.count)
    sizes = (0..<index.listCount).map { Int(index.offsets[$0 + 1] - index.offsets[$0]) }
    let listOf = Self.lists(of: truth, in: index)
    let dimensions = index.dimensions
    for query in 0..<queryCount {
      let row = Array(queries[query * dimensions..<(query + 1) * dimensions])
      var dots = [Float](repeating: 0, count: index.listCount)
      if let centroids = index.coded?.centroidValues.baseAddress {
        mk_active().pointee.dot_floats(centroids, dimensions, index.listCount, row, dimensions, &dots)
      }
      scores.append(dots)
      let length = row.reduce(0) { $0 + $1 * $1 }.squareRoot()
      spreads.append(index.coded?.spreads.map { $0 * length } ?? dots)
      var counts = [Int](repeating: 0, count: index.listCount)
      for ordinal in truth[query] { counts[Int(listOf[ordinal] ?? 0)] += 1 }
      held.append(counts)
    }
  }

  /// The lists as a search would rank them.
  func order(_ query: Int, spreadWeight: Float) -> [Int] {
    let keys = (0..<listCount).map {
      mk_key(scores[query][$0] + spreadWeight * spreads[query][$0], UInt32($0))
    }
    return keys.sorted(by: >).map { Int(mk_key_ordinal($0)) }
  }

  /// The lists of the ordinals that are asked for.
  private static func lists(of truth: [[UInt32]], in index: VectorIndex) -> [UInt32: UInt32] {
    var isWanted = [Bool](repeating: false, count: index.count)
    for ordinal in truth.joined() { isWanted[Int(ordinal)] = true }
    var lists: [UInt32: UInt32] = [:]
    for list in 0..<index.listCount {
      for place in Int(index.offsets[list])..<Int(index.offsets[list + 1]) {
        let ordinal = index.ordinals[place]
        if isWanted[Int(ordinal)] { lists[ordinal] = UInt32(list) }
      }
    }
    return lists
  }
}

/// The shares of their neighbours that queries found.
struct Shares {
  private var count = 0.0
  private var sum = 0.0
  private var squares = 0.0

  mutating func add(_ found: Int, of all: Int) {
    let share = Double(found) / Double(max(1, all))
    count += 1
    sum += share
    squares += share * share
  }

  /// The mean, less one and a half times its standard error: other queries are not these, and in one case of fifteen they are
  /// harder than that allows for.
  var low: Float {
    guard count > 0 else { return 0 }
    let mean = sum / count
    return Float(mean - 1.5 * (max(0, squares / count - mean * mean) / count).squareRoot())
  }
}
