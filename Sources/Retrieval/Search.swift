internal import Base
internal import CKernels

/// One query's way through an index: rank the lists, scan the codes of the best, score by their rows those that the codes
/// leave, and by their vectors those that rows can't tell apart.
///
/// Nothing here is larger than it looks: all that grows lies in the scratch. Not copied: copies are made where a call needs
/// none, and count every reference in it.
struct Search: ~Copyable {
  let index: PartitionedIndex
  let base: VectorIndex
  let lists: CodedLists
  private let query: UnsafePointer<Float>
  let k: Int
  let effort: SearchEffort
  private let allowed: OrdinalFilter?
  /// The filter by ordinals. Read from here: what `allowed` holds is counted whenever it is copied.
  let allowedWords: UnsafePointer<UInt64>?
  /// The share of all titles that it lets pass, if whoever made it counted.
  let allowedShare: Float?
  /// The filter beside the codes: a word a block.
  let placed: UnsafeMutablePointer<UInt64>?
  var clock: SearchClock
  let scratch: SearchScratch
  /// Tests set other levels' here.
  var kernels = mk_active()
  var indexKernels = mk_index_active()

  /// What the query's largest magnitude is, and what a unit of its whole numbers is worth then.
  var magnitude: Float = 0
  var unit: Float = 0
  /// The query's length, where its largest magnitude is 1.
  private(set) var length: Float = 0
  /// Scores by codes are whole numbers: so many make 1. All are too low by `offset`, and sums are at most `sumMax`.
  private var perUnit: Float = 1
  var offset: Float = 0
  var sumMax: Int32 = 0
  /// How far below a candidate's score a list's rank may be, in their unit.
  private var margin: Float = 0
  var seen = FilterSeen()
  /// Whether a filter is asked about all titles of a list, not about those whose scores are good enough. A placed one is.
  var asksFirst: Bool
  /// What is fetched while codes are summed.
  var ahead = mk_ahead()
  var outcome = SearchOutcome()

  init?(
    index: PartitionedIndex, query: UnsafePointer<Float>, k: Int, effort: SearchEffort,
    allowed: OrdinalFilter?, clock: SearchClock, scratch: SearchScratch
  ) {
    guard let base = index.parts.first?.index, let lists = base.coded else { return nil }
    self.index = index
    self.base = base
    self.lists = lists
    self.query = query
    self.k = k
    self.effort = effort
    self.allowed = allowed
    allowedWords = allowed?.words
    allowedShare = allowed.flatMap {
      (0...index.count).contains($0.allowedCount)
        ? Float($0.allowedCount) / Float(max(1, index.count)) : nil
    }
    placed = allowed?.placed?.words.baseAddress
    asksFirst = placed != nil
    self.clock = clock
    self.scratch = scratch
  }

  mutating func run() -> SearchOutcome {
    prepareQuery()
    scoreLists()
    var ranked = rank(listsAtFirst)
    prepareTables()
    begin()
    ahead = codes(of: scratch.listKeys[0])
    fetchAhead(after: 0)
    var next = 0
    while next < base.listCount, reaches(scratch.listKeys[next], after: next) {
      if next + 1 >= ranked, ranked < base.listCount {
        ranked = rank(min(base.listCount, 2 * ranked))
      }
      let more = next + 1 < ranked && reaches(scratch.listKeys[next + 1], after: next + 1)
      ahead = more ? codes(of: scratch.listKeys[next + 1]) : mk_ahead()
      guard scan(scratch.listKeys[next]) else { break }
      next += 1
      outcome.probedListCount = next
      if allowedWords != nil, next % Self.shareSeenIn == 0 { lookAtFilter() }
    }
    finish()
    return outcome
  }

  // MARK: The query

  private mutating func prepareQuery() {
    guard let scaled = scratch.query.baseAddress, let high = scratch.high.baseAddress,
      let low = scratch.low.baseAddress
    else { return }
    for dimension in 0..<index.dimensions { magnitude = max(magnitude, abs(query[dimension])) }
    for dimension in 0..<index.dimensions {
      scaled[dimension] = magnitude > 0 ? query[dimension] / magnitude : 0
    }
    var square: Float = 0
    for dimension in 0..<index.dimensions { square += scaled[dimension] * scaled[dimension] }
    length = square.squareRoot()
    unit = mk_quantise_query(scaled, index.dimensions, base.rowStride, high, low)
  }

  /// Tables of what each codeword adds to a score.
  private mutating func prepareTables() {
    guard let scaled = scratch.query.baseAddress, let turned = scratch.turned.baseAddress,
      let products = scratch.products.baseAddress, let least = scratch.least.baseAddress,
      let largest = scratch.largest.baseAddress, let tables = scratch.tables.baseAddress,
      let widths = lists.widths.baseAddress
    else { return }
    let groups = 2 * lists.pairCount
    if let turn = lists.turn.baseAddress, let book = lists.book.baseAddress {
      kernels.pointee.dot_floats(turn, index.dimensions, lists.turnedCount, scaled, index.dimensions, turned)
      indexKernels.pointee.products(turned, widths, groups, book, products, least, largest)
    } else {
      for place in 0..<groups * Int(MK_BOOK) { products[place] = 0 }
      for group in 0..<groups { (least[group], largest[group]) = (0, 0) }
    }
    var widest: Float = 0
    for pair in 0..<lists.pairCount {
      widest = max(
        widest, largest[2 * pair] - least[2 * pair] + largest[2 * pair + 1] - least[2 * pair + 1])
    }
    // Lists' scores must stay within what whole numbers of 32 bits can tell apart.
    let step = max(widest / 253, farthestScore / Float(1 << 20))
    guard step > 0, (1 / step).isFinite else {
      // A query of zeros: all are alike.
      for place in 0..<groups * Int(MK_BOOK) { tables[place] = 0 }
      return
    }
    perUnit = 1 / step
    indexKernels.pointee.tables(products, least, groups, perUnit, tables)
    for group in 0..<groups {
      offset += least[group]
      sumMax += Int32(((largest[group] - least[group]) * perUnit).rounded(.toNearestOrEven))
    }
  }

  private mutating func begin() {
    mk_pool_begin(scratch.pool, effort.kept(k: k))
    setReach(effort.reach)
  }

  // MARK: Lists

  private var listUnit: Float { unit * 128 }

  /// The query's inner product with a list's centroid.
  func listScore(_ list: Int) -> Float {
    Float(scratch.listDots[list]) * lists.centroidScales[list] * listUnit
  }

  /// Whether a list may have candidates that are good enough: after `next` others, of which none ranked lower.
  private func reaches(_ key: UInt64, after next: Int) -> Bool {
    let pool = scratch.pool
    if pool.pointee.inside < pool.pointee.keep { return true }
    // What a filter keeps is known only then.
    if allowedWords != nil, next < Self.shareSeenIn { return true }
    // None can be better than the worst where all are alike, as for a query of zeros.
    return (mk_key_score(key) * listUnit + margin) * perUnit > Float(pool.pointee.floor)
  }

  /// Candidates' scores are too low by the offset, and lists are compared with them.
  mutating func setReach(_ reach: Float) {
    margin = (reach.isFinite ? reach * length * lists.meanSpread : reach) - offset
  }

  /// The largest magnitude of the scores of the lists that rank first.
  private var farthestScore: Float {
    (0..<min(Self.listsAtFirstMin, base.listCount)).reduce(0) {
      max($0, abs(listScore(Int(mk_key_ordinal(scratch.listKeys[$1])))))
    }
  }

  /// A score in whole numbers, without what all have in common.
  func whole(_ score: Float) -> Int32 {
    let scaled = (score * perUnit).rounded(.toNearestOrEven)
    return Int32(max(-0x1p24, min(0x1p24, scaled)))
  }

  private func scoreLists() {
    scratch.reserve(listCount: base.listCount)
    guard let rows = lists.centroidRows.baseAddress, let high = scratch.high.baseAddress,
      let dots = scratch.listDots.baseAddress
    else { return }
    kernels.pointee.dot_bytes(rows, base.rowStride, base.listCount, high, base.rowStride, dots)
    guard let ranks = scratch.listRanks.baseAddress else { return }
    let factor = listUnit > 0 ? base.spreadWeight * length / listUnit : 0
    mk_add_weights(dots, lists.spreadWeights, factor, base.listCount, ranks)
  }

  /// Brings the best `count` lists into order, or some more; returns how many are.
  private func rank(_ count: Int) -> Int {
    guard let scales = lists.centroidScales.baseAddress, let dots = scratch.listRanks.baseAddress,
      let numbers = scratch.listNumbers.baseAddress, let keys = scratch.listKeys.baseAddress,
      let spare = scratch.listSpare.baseAddress
    else { return 0 }
    let threshold = mk_threshold(dots, scales, base.listCount, count, keys)
    var passed = 0
    let found = kernels.pointee.select(
      dots, scales, numbers, 0, base.listCount, threshold, nil, keys, &passed)
    mk_best_in_order(keys, found, found, spare)
    return found
  }
}
