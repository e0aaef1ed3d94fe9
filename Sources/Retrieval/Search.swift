internal import Base
internal import CKernels

/// One query's way through an index: rank the lists, choose blocks of the best, scan their codes, score by their rows those
/// titles that the codes leave, and by their vectors those that rows can't tell apart.
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
  /// Scores by codes are whole numbers: so many make 1. All are too low by `offset`.
  private(set) var perUnit: Float = 1
  var offset: Float = 0
  /// How far below a candidate's score a block's rank may be, in whole numbers, and how much further a list's.
  private var margin: Float = 0
  private var listMargin: Float = 0
  /// Lists that are in their order, and how many of them were looked into.
  private var ranked = 0
  private var cursor = mk_cursor()
  var seen = FilterSeen()
  /// Candidates that are to be kept in the end, and how many fewer at first, as a part of them.
  var keepGoal = 0
  var keepLess: Float = 0
  /// Titles that were scanned when there was a floor.
  private var scannedWithout: Int?
  /// Whether a filter is asked about all titles of a block, not about those whose scores are good enough. A placed one is.
  var asksFirst: Bool
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
    asksFirst = allowed != nil
    self.clock = clock
    self.scratch = scratch
  }

  mutating func run() -> SearchOutcome {
    prepareQuery()
    scoreLists()
    ranked = rank(listsAtFirst)
    prepareTables()
    prepareMiddles()
    begin()
    layOut(0..<ranked)
    mk_fetch_lists(scratch.middles, scratch.rankedLists.baseAddress, ranked)
    var (blocks, ahead) = (scratch.blocks, scratch.blocksAhead)
    var isDone = !choose(blocks)
    fetch(blocks)
    while !isDone, blocks.pointee.count > 0 {
      guard choose(ahead), scan(blocks, ahead: ahead) else { break }
      (blocks, ahead) = (ahead, blocks)
      // What was scanned meanwhile may let a filter reach further.
      if blocks.pointee.count == 0 {
        isDone = !choose(blocks)
        fetch(blocks)
      }
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
      let widths = lists.widths.baseAddress, let codes = lists.codes.baseAddress
    else { return }
    scratch.codes.pointee = mk_codes(codes: codes, pairs: lists.pairCount, tables: tables)
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
    for group in 0..<groups { offset += least[group] }
  }

  /// The turned query in bytes, to choose blocks by.
  private mutating func prepareMiddles() {
    guard let turned = scratch.turned.baseAddress, let query = scratch.middleQuery.baseAddress,
      let rows = lists.blockRows.baseAddress,
      let spreads = lists.blockSpreads.baseAddress
    else { return }
    // The lower halves of its numbers are left out, as where lists are ranked.
    let unit =
      128
      * mk_quantise_query(
        turned, lists.turnedCount, lists.blockWidth, query, query + lists.blockWidth)
    var sum: Int32 = 0
    for place in 0..<lists.blockWidth { sum += Int32(query[place]) }
    scratch.middles.pointee = mk_middles(
      rows: rows, width: lists.blockWidth, spreads: spreads, query: query, bias: 128 * sum,
      unit: min(1e20, lists.blockStep * unit * perUnit),
      weight: min(1e20, base.spreadWeight * length * perUnit))
  }

  private mutating func begin() {
    keepGoal = effort.kept(k: k)
    keepLess = allowedShare.map { Self.keepLess(share: $0) } ?? 0
    mk_pool_begin(scratch.pool, keepGoal)
    setKeep()
    setReach(effort.reach)
  }

  // MARK: Lists

  private var listUnit: Float { unit * 128 }

  /// The query's inner product with a list's centroid.
  func listScore(_ list: Int) -> Float {
    Float(scratch.listDots[list]) * lists.centroidScales[list] * listUnit
  }

  /// What a list must rank above to have blocks that are looked into.
  private var least: Float {
    let pool = scratch.pool
    // None can be better than the worst where all are alike, as for a query of zeros.
    return pool.pointee.floor == .min ? -.infinity : Float(pool.pointee.floor) - margin
  }

  /// How many candidates are kept by now: what comes later takes the places that are left.
  mutating func setKeep() {
    let pool = scratch.pool
    if pool.pointee.floor != .min, scannedWithout == nil { scannedWithout = outcome.scannedCount }
    let part = scannedWithout.map { Float($0) / Float(max(1, outcome.scannedCount)) } ?? 1
    pool.pointee.keep = Int(Float(keepGoal) * (1 - keepLess * part))
  }

  /// Candidates' scores are too low by the offset, and lists and blocks are compared with them.
  mutating func setReach(_ reach: Float) {
    let spread = length * lists.meanSpread
    margin = ((reach.isFinite ? reach * spread : reach) - offset) * perUnit
    listMargin = Self.listReach * spread * perUnit
  }

  /// A block may lie so much nearer than its list does, in lists' mean spreads.
  private static var listReach: Float { 0.04 }

  /// Chooses blocks of the next lists that may have candidates that are good enough, about as many as are scanned together:
  /// none when there are none. False when the deadline has come.
  private mutating func choose(_ blocks: UnsafeMutablePointer<mk_blocks>) -> Bool {
    let least = least
    (blocks.pointee.count, blocks.pointee.titles) = (0, 0)
    guard let rankedLists = scratch.rankedLists.baseAddress else { return true }
    while cursor.list < base.listCount {
      if cursor.list == ranked {
        ranked = rank(min(base.listCount, 2 * ranked))
        layOut(cursor.list..<ranked)
      }
      // Tails are scanned list by list.
      let end = hasTails ? cursor.list + 1 : ranked
      indexKernels.pointee.choose(
        scratch.middles, rankedLists, end, least, least - listMargin, blocksTogether, &cursor, blocks)
      outcome.probedListCount = cursor.list + (cursor.block > 0 ? 1 : 0)
      guard cursor.list == end else { return true }
      if hasTails, !scanTails(Int(mk_key_ordinal(scratch.listKeys[end - 1]))) { return false }
    }
    return true
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

  /// Gathers what a scan needs of the lists of some ranks: one after the other they would be waited for.
  private func layOut(_ ranks: Range<Int>) {
    guard let offsets = base.offsets.baseAddress else { return }
    for rank in ranks {
      let key = scratch.listKeys[rank]
      let list = Int(mk_key_ordinal(key))
      scratch.rankedLists[rank] = mk_list(
        number: lists.blocks[list], place: offsets[list], titles: offsets[list + 1] - offsets[list],
        rank: mk_key_score(key) * listUnit * perUnit,
        score: max(-0x1p24, min(0x1p24, listScore(list) * perUnit)))
    }
  }
}
