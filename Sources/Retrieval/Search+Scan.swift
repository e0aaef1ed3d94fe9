internal import Base
internal import CKernels

/// Sums codes, and scores rows of tails, into the pool.
extension Search {
  /// Blocks that are scanned together, or somewhat more: what is found raises what the next ones are chosen by, and titles are
  /// looked up in a filter the quicker the more they are.
  var blocksTogether: Int { allowedWords == nil ? 8 : 32 }

  /// Scans some blocks, while those ahead are fetched. False when the deadline has come.
  mutating func scan(_ blocks: UnsafeMutablePointer<mk_blocks>, ahead: UnsafePointer<mk_blocks>) -> Bool {
    if isLate() { return false }
    guard let ordinals = base.ordinals.baseAddress else { return false }
    let pool = scratch.pool
    let (places, scores) = (pool.pointee.places + pool.pointee.held, pool.pointee.scores + pool.pointee.held)
    outcome.scannedCount += blocks.pointee.titles
    var added = 0
    if let allowedWords, !asksFirst {
      added = indexKernels.pointee.scan_asking(
        scratch.codes, pool.pointee.floor, blocks, ahead, ordinals, allowedWords, places, scores)
    } else {
      if let allowedWords {
        if placed == nil { mk_fetch_blocks(nil, ordinals, ahead) }
        indexKernels.pointee.ask(placed, ordinals, allowedWords, blocks, &seen.counts)
      }
      added = indexKernels.pointee.scan(scratch.codes, pool.pointee.floor, blocks, ahead, places, scores)
    }
    mk_pool_take(pool, added, SearchScratch.blockCount)
    // A byte of codes costs as much as some of rows where there are no wide vectors.
    clock.count(bytes: blocks.pointee.titles * lists.pairCount * 4)
    if allowedWords != nil {
      if asksFirst { lookAtFilter() }
      setKeep()
    }
    return true
  }

  /// Fetches what the first scan would wait for.
  func fetch(_ blocks: UnsafePointer<mk_blocks>) {
    mk_fetch_blocks(
      scratch.codes, allowedWords != nil && placed == nil ? base.ordinals.baseAddress : nil, blocks)
  }

  var hasTails: Bool { index.parts.count > 1 }

  /// Scores the rows of a list of all tails. False when the deadline has come.
  mutating func scanTails(_ list: Int) -> Bool {
    var place = base.count
    for part in index.parts.dropFirst() {
      guard scanRows(list, of: part, firstPlace: place) else { return false }
      place += part.index.count
    }
    return true
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
