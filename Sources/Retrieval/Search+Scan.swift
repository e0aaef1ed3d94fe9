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
    let pool = scratch.pool
    let end = Int(base.offsets[list + 1])
    var next = Int(base.offsets[list])
    var summed = 0
    var block = Int(lists.blocks[list])
    while next < end {
      if isLate() { return false }
      let count = min(SearchScratch.blockCount, end - next)
      // A list whose best can't be good enough is not read.
      if score &+ sumMax >= pool.pointee.floor {
        mk_pool_take(pool, sumCodes(next, count, block: block, score), SearchScratch.blockCount)
        summed = max(summed, count)
      }
      outcome.scannedCount += count
      // A byte of codes costs as much as some of rows where there are no wide vectors.
      clock.count(bytes: count * lists.pairCount * 4)
      next += count
      block += SearchScratch.blockCount / Int(MK_BLOCK)
    }
    fetchAhead(after: summed)
    return true
  }

  /// Puts those of `count` titles from `place` on whose codes are good enough, and which the filter lets pass, behind what
  /// the pool holds; returns how many.
  private mutating func sumCodes(_ place: Int, _ count: Int, block: Int, _ score: Int32) -> Int {
    let pool = scratch.pool
    let (places, scores) = (pool.pointee.places + pool.pointee.held, pool.pointee.scores + pool.pointee.held)
    guard let codes = lists.codes.baseAddress.map({ $0 + block * Int(MK_BLOCK) * lists.pairCount }),
      let tables = scratch.tables.baseAddress, let ordinals = base.ordinals.baseAddress.map({ $0 + place })
    else { return 0 }
    let open = openTitles(place, count, block: block)
    guard let allowedWords, open == nil else {
      return indexKernels.pointee.scan(
        codes, count, lists.pairCount, tables, pool.pointee.floor, score, open, &ahead, UInt32(place), places,
        scores)
    }
    var asked = 0
    let added = indexKernels.pointee.scan_asking(
      codes, count, lists.pairCount, tables, pool.pointee.floor, score, ordinals, allowedWords, &ahead,
      UInt32(place), places, scores, &asked)
    seen.add(asked: asked, passed: added)
    return added
  }

  /// Which of `count` titles from `place` on a filter lets pass, a bit each, if that is known or worth finding out before
  /// their codes are summed.
  private mutating func openTitles(_ place: Int, _ count: Int, block: Int) -> UnsafePointer<UInt64>? {
    guard asksFirst, let allowedWords, let ordinals = base.ordinals.baseAddress,
      let words = scratch.openWords.baseAddress
    else { return nil }
    if placed == nil {
      indexKernels.pointee.place_allowed(ordinals + place, count, allowedWords, words)
      if let next = ahead.ordinals { mk_fetch_bytes(next, 4 * ahead.count) }
    }
    let open = placed.map { $0 + block } ?? words
    let wordCount = (count + Int(MK_BLOCK) - 1) / Int(MK_BLOCK)
    seen.add(asked: count, passed: Int(kernels.pointee.count_bits(open, wordCount)))
    return UnsafePointer(open)
  }

  /// A list's codes, to be fetched while another's are summed: memory, not sums, is what a scan waits for.
  func codes(of key: UInt64) -> mk_ahead {
    let list = Int(mk_key_ordinal(key))
    guard let codes = lists.codes.baseAddress, let ordinals = base.ordinals.baseAddress else {
      return mk_ahead()
    }
    return mk_ahead(
      codes: codes + Int(lists.blocks[list]) * Int(MK_BLOCK) * lists.pairCount,
      ordinals: ordinals + Int(base.offsets[list]),
      count: min(Int(base.offsets[list + 1] - base.offsets[list]), SearchScratch.blockCount))
  }

  /// Fetches what is ahead of more than `count` titles, beside which it was not.
  func fetchAhead(after count: Int) {
    let blocks = (count + Int(MK_BLOCK) - 1) / Int(MK_BLOCK)
    let first = blocks * Int(MK_BLOCK)
    guard ahead.count > first, let codes = ahead.codes, let ordinals = ahead.ordinals else { return }
    let blockCount = (ahead.count + Int(MK_BLOCK) - 1) / Int(MK_BLOCK)
    mk_fetch_bytes(codes + first * lists.pairCount, (blockCount - blocks) * Int(MK_BLOCK) * lists.pairCount)
    if allowedWords != nil, placed == nil { mk_fetch_bytes(ordinals + first, 4 * (ahead.count - first)) }
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
      let rowCount = rows(next, count, of: part, into: locals)
      scoreRows(rowCount, of: part.index)
      let held = pool.pointee.held
      var (asked, added) = (0, 0)
      for place in 0..<rowCount {
        let score = whole(dots[place] * unit - offset)
        pool.pointee.places[held + added] = UInt32(firstPlace) + locals[place]
        pool.pointee.scores[held + added] = score
        guard score >= pool.pointee.floor else { continue }
        asked += 1
        added += asksFirst || isAllowed(part.first + part.index.ordinals[Int(locals[place])]) ? 1 : 0
      }
      if allowedWords != nil, !asksFirst { seen.add(asked: asked, passed: added) }
      mk_pool_take(pool, added, SearchScratch.blockCount)
      outcome.scannedCount += count
      clock.count(bytes: count * base.rowStride)
      next += count
    }
    return true
  }

  /// Writes which of `count` rows from `place` on are scored: all, unless the filter is asked first. Returns how many.
  private mutating func rows(
    _ place: Int, _ count: Int, of part: PartitionedIndex.Part, into locals: UnsafeMutablePointer<UInt32>
  ) -> Int {
    guard asksFirst else {
      for row in 0..<count { locals[row] = UInt32(place + row) }
      return count
    }
    var passed = 0
    for row in place..<place + count {
      locals[passed] = UInt32(row)
      passed += isAllowed(part.first + part.index.ordinals[row]) ? 1 : 0
    }
    seen.add(asked: count, passed: passed)
    return passed
  }

  private func isAllowed(_ ordinal: UInt32) -> Bool {
    guard let allowedWords else { return true }
    return allowedWords[Int(ordinal >> 6)] >> UInt64(ordinal & 63) & 1 == 1
  }

  private mutating func isLate() -> Bool {
    guard clock.isLate() else { return false }
    outcome.isPartial = true
    return true
  }
}
