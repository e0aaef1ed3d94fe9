internal import CKernels

/// How far below the last of their neighbours the lists of some queries rank, and how many of the neighbours they hold: what
/// a search that reaches so far finds at most.
struct ListCoverage {
  /// How much of a list's spread counts where lists are ranked.
  let spreadWeight: Float
  private let queryCount: Int
  /// All lists of all queries, those that need the least reach first.
  private let reaches: [Float]
  /// Titles that are looked at for ``shareForWeight``.
  private let titlesForShare: Double

  /// The weight that leaves the fewest titles to be looked at.
  static func best(_ index: VectorIndex, queries: [Float], truth: [[UInt64]]) -> ListCoverage {
    let ranking = ListRanking(index, queries: queries, truth: truth)
    var best = ListCoverage(ranking, spreadWeight: 0)
    for tenths in 1...weightTenthsMax {
      let other = ListCoverage(ranking, spreadWeight: Float(tenths) / 10)
      if other.titlesForShare < best.titlesForShare { best = other }
    }
    return best
  }

  /// With a weight that was chosen. `truth` has the keys of each query's neighbours.
  init(_ index: VectorIndex, queries: [Float], truth: [[UInt64]], spreadWeight: Float) {
    self.init(ListRanking(index, queries: queries, truth: truth), spreadWeight: spreadWeight)
  }

  private static var weightTenthsMax: Int { 8 }
  /// What the usual recall needs.
  private static var shareForWeight: Double { 0.96 }

  private init(_ ranking: ListRanking, spreadWeight: Float) {
    let order = ranking.order(spreadWeight: spreadWeight)
    var (found, titles) = (0.0, 0.0)
    for place in order {
      if found >= Self.shareForWeight * Double(ranking.queryCount) { break }
      found +=
        Double(ranking.held[place.item])
        / Double(max(1, ranking.neighbourCounts[place.item / ranking.listCount]))
      titles += Double(ranking.sizes[place.item % ranking.listCount])
    }
    self.spreadWeight = spreadWeight
    queryCount = ranking.queryCount
    reaches = order.map(\.reach)
    titlesForShare = titles
  }

  /// The reach that takes so many lists on the mean, if the neighbours are known from the beginning.
  func reach(lists: Int) -> Float {
    guard lists * queryCount < reaches.count else { return SearchEffort.reachAll }
    return max(
      -SearchEffort.reachMax, min(SearchEffort.reachMax, reaches[max(0, lists * queryCount - 1)]))
  }
}

/// Scores of all lists for some queries, and where their neighbours lie.
private struct ListRanking {
  let listCount: Int
  let queryCount: Int
  let sizes: [Int]
  /// Of each query, its neighbours in each list, and all of them.
  private(set) var held: [Int] = []
  let neighbourCounts: [Int]
  /// How much further than to the last neighbour the list's score is, and its spread, in mean spreads.
  private var below: [Float] = []
  private let spreads: [Float]

  init(_ index: VectorIndex, queries: [Float], truth: [[UInt64]]) {
    listCount = index.listCount
    queryCount = truth.count
    neighbourCounts = truth.map(\.count)
    sizes = (0..<index.listCount).map { Int(index.offsets[$0 + 1] - index.offsets[$0]) }
    let mean = index.coded?.meanSpread ?? 0
    let unit = mean > 0 ? 1 / mean : 0
    spreads = index.coded?.spreads.map { $0 * unit } ?? []
    let listOf = Self.lists(of: truth, in: index)
    let dimensions = index.dimensions
    for query in 0..<queryCount {
      let row = Array(queries[query * dimensions..<(query + 1) * dimensions])
      var dots = [Float](repeating: 0, count: index.listCount)
      if let centroids = index.coded?.centroidValues.baseAddress {
        mk_active().pointee.dot_floats(centroids, dimensions, index.listCount, row, dimensions, &dots)
      }
      let length = row.reduce(0) { $0 + $1 * $1 }.squareRoot()
      let last = truth[query].min().map { mk_key_score($0) } ?? 0
      below.append(contentsOf: dots.map { length > 0 ? (last - $0) / length * unit : 0 })
      var counts = [Int](repeating: 0, count: index.listCount)
      for key in truth[query] { counts[Int(listOf[mk_key_ordinal(key)] ?? 0)] += 1 }
      held.append(contentsOf: counts)
    }
  }

  /// The lists of all queries by the reach that they need: `item` is the query's number times the lists', and the list.
  func order(spreadWeight: Float) -> [(reach: Float, item: Int)] {
    let keys = below.indices.map {
      mk_key(spreadWeight * spreads[$0 % listCount] - below[$0], UInt32($0))
    }
    return keys.sorted(by: >).map { (-mk_key_score($0), Int(mk_key_ordinal($0))) }
  }

  /// The lists of the ordinals that are asked for.
  private static func lists(of truth: [[UInt64]], in index: VectorIndex) -> [UInt32: UInt32] {
    var isWanted = [Bool](repeating: false, count: index.count)
    for key in truth.joined() { isWanted[Int(mk_key_ordinal(key))] = true }
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

  /// The mean, less two and a half times its standard error: other queries are not these, and in one case of two hundred they
  /// are harder than that allows for.
  var low: Float {
    guard count > 0 else { return 0 }
    let mean = sum / count
    return Float(mean - 2.5 * (max(0, squares / count - mean * mean) / count).squareRoot())
  }
}
