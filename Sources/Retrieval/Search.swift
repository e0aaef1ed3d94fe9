internal import Base
internal import CKernels

/// One query's way through an index: rank the lists, scan the codes of the best, score by their rows those that the codes
/// leave, and by their vectors those that rows can't tell apart.
///
/// Nothing here is larger than it looks: all that grows lies in the scratch. Not copied: copies are made where a call needs
/// none, and count every reference in it.
struct Search: ~Copyable {
  private let index: PartitionedIndex
  private let base: VectorIndex
  private let lists: CodedLists
  private let query: UnsafePointer<Float>
  private let k: Int
  private let effort: SearchEffort
  private let allowed: OrdinalFilter?
  /// The filter beside the codes: a word a block.
  private let placed: UnsafeMutablePointer<UInt64>?
  private var clock: SearchClock
  private let scratch: SearchScratch
  private let kernels = mk_active()
  private let indexKernels = mk_index_active()

  /// What the query's largest magnitude is, and what a unit of its whole numbers is worth then.
  private var magnitude: Float = 0
  private var unit: Float = 0
  /// Scores by codes are whole numbers: so many make 1. All are too low by `offset`, and sums are at most `sumMax`.
  private var perUnit: Float = 1
  private var offset: Float = 0
  private var sumMax: Int32 = 0
  /// Titles or candidates that the filter was asked about, and those that it let pass.
  private var asked = 0
  private var passed = 0
  private var outcome = SearchOutcome()

  init?(
    index: PartitionedIndex, query: UnsafePointer<Float>, k: Int, effort: SearchEffort,
    allowed: OrdinalFilter?,
    clock: SearchClock, scratch: SearchScratch
  ) {
    guard let base = index.parts.first?.index, let lists = base.coded else { return nil }
    self.index = index
    self.base = base
    self.lists = lists
    self.query = query
    self.k = k
    self.effort = effort
    self.allowed = allowed
    placed = allowed?.placed?.words.baseAddress
    self.clock = clock
    self.scratch = scratch
  }

  mutating func run() -> SearchOutcome {
    let probes = min(max(effort.probes, 1), base.listCount)
    let keep = effort.kept(k: k)
    prepareQuery()
    scoreLists()
    var ranked = rank(probes)
    prepareTables(ranked)
    begin(keep: keep, worstList: mk_key_score(scratch.listKeys[ranked - 1]))
    var next = 0
    var wanted = probes
    while next < wanted {
      if next == ranked { ranked = rank(min(base.listCount, max(wanted, ranked + ranked / 2 + 8))) }
      if next + 1 < ranked { fetchCodes(Int(mk_key_ordinal(scratch.listKeys[next + 1]))) }
      guard scan(scratch.listKeys[next]) else { break }
      next += 1
      outcome.probedListCount = next
      wanted = min(base.listCount, wantedProbes(probes, after: next))
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
    unit = mk_quantise_query(scaled, index.dimensions, base.rowStride, high, low)
  }

  /// Tables of what each codeword adds to a score.
  private mutating func prepareTables(_ ranked: Int) {
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
    var reach: Float = 0
    for pair in 0..<lists.pairCount {
      reach = max(reach, largest[2 * pair] - least[2 * pair] + largest[2 * pair + 1] - least[2 * pair + 1])
    }
    // Lists' scores must stay within what whole numbers of 32 bits can tell apart.
    let farthest = max(abs(listScore(scratch.listKeys[0])), abs(listScore(scratch.listKeys[ranked - 1])))
    let step = max(reach / 253, farthest / Float(1 << 20))
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

  private mutating func begin(keep: Int, worstList: Float) {
    let top = whole(listScore(scratch.listKeys[0])) &+ sumMax &+ 1
    mk_pool_begin(scratch.pool, keep, top, min(top - 1, whole(worstList * listUnit)))
  }

  // MARK: Lists

  private var listUnit: Float { unit * 128 }
  private func listScore(_ key: UInt64) -> Float { mk_key_score(key) * listUnit }

  /// A score in whole numbers, without what all have in common.
  private func whole(_ score: Float) -> Int32 {
    let scaled = (score * perUnit).rounded(.toNearestOrEven)
    return Int32(max(-0x1p24, min(0x1p24, scaled)))
  }

  private func scoreLists() {
    scratch.reserve(listCount: base.listCount)
    guard let rows = lists.centroidRows.baseAddress, let high = scratch.high.baseAddress,
      let dots = scratch.listDots.baseAddress
    else { return }
    kernels.pointee.dot_bytes(rows, base.rowStride, base.listCount, high, base.rowStride, dots)
  }

  /// Brings the best `count` lists into order, or some more; returns how many are.
  private func rank(_ count: Int) -> Int {
    guard let scales = lists.centroidScales.baseAddress, let dots = scratch.listDots.baseAddress,
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

  /// How many lists are looked into, from what was seen in the first `next`: enough to fill the pool, and with a
  /// filter more than without, because a share s that passes spreads the best k over more lists. Their number grows
  /// about with the root of 1/s: measured on clustered vectors, for a share of 1/20 at a recall of 0.95.
  private func wantedProbes(_ probes: Int, after next: Int) -> Int {
    if scratch.pool.pointee.inside < scratch.pool.pointee.keep { return max(next + 1, probes) }
    guard allowed != nil, asked > 0 else { return probes }
    let share = Float(passed) / Float(asked)
    return Int((Float(probes) * (0.75 / share.squareRoot() + 0.25)).rounded(.up))
  }

  /// Scans one list of each part. False when the deadline has come.
  private mutating func scan(_ key: UInt64) -> Bool {
    let list = Int(mk_key_ordinal(key))
    guard scanCodes(list, score: whole(listScore(key))) else { return false }
    guard index.parts.count > 1 else { return true }
    var place = base.count
    for part in index.parts.dropFirst() {
      guard scanRows(list, of: part, firstPlace: place) else { return false }
      place += part.index.count
    }
    return true
  }

  private mutating func scanCodes(_ list: Int, score: Int32) -> Bool {
    guard let codes = lists.codes.baseAddress, let tables = scratch.tables.baseAddress else { return true }
    let pool = scratch.pool
    let end = Int(base.offsets[list + 1])
    var next = Int(base.offsets[list])
    var block = Int(lists.blocks[list])
    while next < end {
      if isLate() { return false }
      let count = min(SearchScratch.blockCount, end - next)
      // A list whose best can't be good enough is not read.
      if score &+ sumMax >= pool.pointee.floor {
        let held = pool.pointee.held
        let open = placed.map { UnsafePointer($0 + block) }
        var added = indexKernels.pointee.scan(
          codes + block * Int(MK_BLOCK) * lists.pairCount, count, lists.pairCount, tables, pool.pointee.floor,
          score, open, UInt32(next), pool.pointee.places + held, pool.pointee.scores + held)
        if let open {
          asked += count
          passed += Int(kernels.pointee.count_bits(open, (count + Int(MK_BLOCK) - 1) / Int(MK_BLOCK)))
        } else {
          added = keepAllowed(added, of: base, first: 0, firstPlace: 0)
        }
        mk_pool_take(pool, added, SearchScratch.blockCount)
      }
      outcome.scannedCount += count
      // A byte of codes costs as much as some of rows where there are no wide vectors.
      clock.count(bytes: count * lists.pairCount * 4)
      next += count
      block += SearchScratch.blockCount / Int(MK_BLOCK)
    }
    return true
  }

  /// Has the next list's codes fetched while this one's are summed: memory, not sums, is what a scan waits for.
  private func fetchCodes(_ list: Int) {
    guard let codes = lists.codes.baseAddress else { return }
    let count = Int(min(lists.blocks[list + 1] - lists.blocks[list], 32)) * Int(MK_BLOCK) * lists.pairCount
    mk_fetch_bytes(codes + Int(lists.blocks[list]) * Int(MK_BLOCK) * lists.pairCount, count)
    // A filter speaks of ordinals.
    guard allowed != nil, placed == nil, let ordinals = base.ordinals.baseAddress else { return }
    let begin = Int(base.offsets[list])
    mk_fetch_bytes(ordinals + begin, 4 * min(Int(base.offsets[list + 1]) - begin, SearchScratch.blockCount))
  }

  /// A tail has no codes: the rows of its lists are scored at once.
  private mutating func scanRows(_ list: Int, of part: PartitionedIndex.Part, firstPlace: Int) -> Bool {
    guard let locals = scratch.locals.baseAddress, let dots = scratch.dots.baseAddress else { return true }
    let pool = scratch.pool
    let end = Int(part.index.offsets[list + 1])
    var next = Int(part.index.offsets[list])
    while next < end {
      if isLate() { return false }
      let count = min(SearchScratch.blockCount / 8, end - next)
      for place in 0..<count { locals[place] = UInt32(next + place) }
      scoreRows(count, of: part.index)
      let held = pool.pointee.held
      var added = 0
      for place in 0..<count {
        let score = whole(dots[place] * unit - offset)
        pool.pointee.places[held + added] = UInt32(firstPlace + next + place)
        pool.pointee.scores[held + added] = score
        added += score >= pool.pointee.floor ? 1 : 0
      }
      added = keepAllowed(added, of: part.index, first: part.first, firstPlace: UInt32(firstPlace))
      mk_pool_take(pool, added, SearchScratch.blockCount)
      outcome.scannedCount += count
      clock.count(bytes: count * base.rowStride)
      next += count
    }
    return true
  }

  private mutating func keepAllowed(_ added: Int, of index: VectorIndex, first: UInt32, firstPlace: UInt32)
    -> Int
  {
    guard let allowed, let ordinals = index.ordinals.baseAddress else { return added }
    let pool = scratch.pool
    let held = pool.pointee.held
    let kept = indexKernels.pointee.keep_allowed(
      pool.pointee.places + held, pool.pointee.scores + held, added, firstPlace, ordinals, first,
      allowed.words)
    asked += added
    passed += kept
    return kept
  }

  private mutating func isLate() -> Bool {
    guard clock.isLate() else { return false }
    outcome.isPartial = true
    return true
  }

  // MARK: Results

  /// Scores the first `count` of `scratch.locals` by their rows, into `scratch.dots`.
  private func scoreRows(_ count: Int, of index: VectorIndex) {
    guard let rows = index.rows.baseAddress, let step = index.step.baseAddress,
      let steps = index.steps.baseAddress, let locals = scratch.locals.baseAddress,
      let high = scratch.high.baseAddress, let low = scratch.low.baseAddress,
      let dots = scratch.dots.baseAddress
    else { return }
    indexKernels.pointee.score_rows(rows, index.rowStride, step, steps, locals, count, high, low, dots)
  }

  /// Scores what is left by its rows, and leaves the best k in order in the scratch.
  private mutating func finish() {
    let pool = scratch.pool
    if outcome.isPartial {
      // Late already: the k best by their codes are scored for their order, not more of them for better ones.
      pool.pointee.keep = k
      mk_pool_take(pool, 0, 0)
    }
    mk_pool_finish(pool, SearchScratch.keptCountMax)
    guard let keys = scratch.keys.baseAddress, let spare = scratch.spareKeys.baseAddress else { return }
    var held = 0
    var firstPlace = 0
    for part in index.parts {
      held += score(part, firstPlace: UInt32(firstPlace), keys: keys + held)
      firstPlace += part.index.count
    }
    let count = min(k, held)
    if effort.refines, held > k, !outcome.isPartial {
      mk_best_in_order(keys, held, held, spare)
      refine(held, keys: keys, spare: spare)
    } else {
      mk_best_in_order(keys, held, count, spare)
    }
    let factor = unit * magnitude
    for place in 0..<count {
      scratch.ordinals[place] = mk_key_ordinal(keys[place])
      scratch.scores[place] = mk_key_score(keys[place]) * factor
    }
    outcome.count = count
  }

  /// Keys of one part's candidates, with their ordinals.
  private func score(
    _ part: PartitionedIndex.Part, firstPlace: UInt32, keys: UnsafeMutablePointer<UInt64>
  ) -> Int {
    guard let locals = scratch.locals.baseAddress, let dots = scratch.dots.baseAddress,
      let ordinals = part.index.ordinals.baseAddress
    else { return 0 }
    let pool = scratch.pool
    let partCount = UInt32(part.index.count)
    var count = 0
    for place in 0..<pool.pointee.held {
      let local = pool.pointee.places[place] &- firstPlace
      guard local < partCount else { continue }
      locals[count] = local
      mk_prefetch(ordinals + Int(local))
      count += 1
    }
    scoreRows(count, of: part.index)
    for place in 0..<count { keys[place] = mk_key(dots[place], part.first + ordinals[Int(locals[place])]) }
    return count
  }

  /// Scores by their vectors those of `held` ordered candidates that may be on the wrong side of the k-th.
  private func refine(
    _ held: Int, keys: UnsafeMutablePointer<UInt64>, spare: UnsafeMutablePointer<UInt64>
  ) {
    guard let locals = scratch.locals.baseAddress, let dots = scratch.dots.baseAddress,
      let scaled = scratch.query.baseAddress, let steps = base.steps.baseAddress, unit > 0
    else { return }
    var square: Float = 0
    for dimension in 0..<index.dimensions { square += scaled[dimension] * scaled[dimension] }
    // Rounding to a step is off by 0.29 of it at one deviation, and so is a sum over a query of unit length.
    let reach = 2 * 0.29 * steps[Self.usualStep] * square.squareRoot() / unit
    let middle = mk_key_score(keys[k - 1])
    var begin = k - 1
    while begin > 0, mk_key_score(keys[begin - 1]) <= middle + reach { begin -= 1 }
    var end = k
    while end < held, mk_key_score(keys[end]) >= middle - reach { end += 1 }
    for part in index.parts {
      guard let vectors = part.vectors, let rows = vectors.base else { continue }
      let last = part.first + UInt32(vectors.count)
      let isOfPart = { (key: UInt64) in mk_key_ordinal(key) >= part.first && mk_key_ordinal(key) < last }
      var count = 0
      for place in begin..<end where isOfPart(keys[place]) {
        locals[count] = mk_key_ordinal(keys[place]) - part.first
        count += 1
      }
      kernels.pointee.dot_halves_at(
        rows, vectors.rowStride, locals, count, scaled, index.dimensions, dots)
      count = 0
      for place in begin..<end where isOfPart(keys[place]) {
        keys[place] = mk_key(dots[count] / unit, mk_key_ordinal(keys[place]))
        count += 1
      }
    }
    mk_best_in_order(keys + begin, end - begin, k - begin, spare)
  }

  /// Most rows' step is about in the middle.
  private static var usualStep: Int { 144 }
}
