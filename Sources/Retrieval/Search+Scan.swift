internal import Base
internal import CKernels

/// Sums codes, and scores rows of tails, list by list, into the pool.
extension Search {
  /// Scans one list of each part. False when the deadline has come.
  mutating func scan(_ key: UInt64) -> Bool {
    let list = Int(mk_key_ordinal(key))
    guard scanCodes(list, score: whole(listScore(list))) else { return false }
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
        let (open, openCount) = openTitles(next, count, block: block)
        // Of a filter that is asked about candidates their ordinals are needed.
        let ordinals = allowedWords != nil && open == nil ? base.ordinals.baseAddress.map { $0 + next } : nil
        var added = indexKernels.pointee.scan(
          codes + block * Int(MK_BLOCK) * lists.pairCount, count, lists.pairCount, tables, pool.pointee.floor,
          score, open, ordinals, UInt32(next), pool.pointee.places + held, pool.pointee.scores + held,
          scratch.names.baseAddress)
        if ordinals != nil {
          shareAbove = Float(added) / Float(count)
          added = keepAllowed(added, first: 0)
        }
        if openCount > 0 { shareAbove = Float(added) / Float(openCount) }
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

  /// Above this share of candidates, or where a filter goes by lists as much, it is quicker to ask it about all titles, and
  /// to sum the codes of no block without one, than to ask it about the candidates.
  private var isAskedFirst: Bool { shareAbove > 0.3 || seen.likeness > 0.3 }

  /// Which of `count` titles from `place` on a filter lets pass, a bit each, and how many, if that is known or worth
  /// finding out before their codes are summed.
  private mutating func openTitles(
    _ place: Int, _ count: Int, block: Int
  ) -> (bits: UnsafePointer<UInt64>?, count: Int) {
    guard let allowedWords else { return (nil, 0) }
    let wordCount = (count + Int(MK_BLOCK) - 1) / Int(MK_BLOCK)
    let open: UnsafePointer<UInt64>
    if let placed {
      open = UnsafePointer(placed + block)
    } else {
      guard isAskedFirst, let ordinals = base.ordinals.baseAddress,
        let words = scratch.openWords.baseAddress
      else { return (nil, 0) }
      indexKernels.pointee.place_allowed(ordinals + place, count, 0, allowedWords, words)
      open = UnsafePointer(words)
    }
    let openCount = Int(kernels.pointee.count_bits(open, wordCount))
    seen.add(asked: count, passed: openCount)
    return (open, openCount)
  }

  /// Has the next list's codes fetched while this one's are summed: memory, not sums, is what a scan waits for.
  func fetchCodes(_ list: Int) {
    guard let codes = lists.codes.baseAddress else { return }
    let count = Int(min(lists.blocks[list + 1] - lists.blocks[list], 32)) * Int(MK_BLOCK) * lists.pairCount
    mk_fetch_bytes(codes + Int(lists.blocks[list]) * Int(MK_BLOCK) * lists.pairCount, count)
    // A filter speaks of ordinals.
    guard allowedWords != nil, placed == nil, let ordinals = base.ordinals.baseAddress else { return }
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
        scratch.names[added] = part.index.ordinals[next + place]
        added += score >= pool.pointee.floor ? 1 : 0
      }
      added = keepAllowed(added, first: part.first)
      mk_pool_take(pool, added, SearchScratch.blockCount)
      outcome.scannedCount += count
      clock.count(bytes: count * base.rowStride)
      next += count
    }
    return true
  }

  /// Of what was added to the pool, keeps what the filter lets pass. `scratch.names` has its ordinals, without `first`.
  private mutating func keepAllowed(_ added: Int, first: UInt32) -> Int {
    guard let allowedWords, let names = scratch.names.baseAddress else { return added }
    let pool = scratch.pool
    let held = pool.pointee.held
    let kept = indexKernels.pointee.keep_allowed(
      pool.pointee.places + held, pool.pointee.scores + held, names, added, first, allowedWords)
    seen.add(asked: added, passed: kept)
    return kept
  }

  private mutating func isLate() -> Bool {
    guard clock.isLate() else { return false }
    outcome.isPartial = true
    return true
  }
}
