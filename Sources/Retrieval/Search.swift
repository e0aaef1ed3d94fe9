internal import Base
internal import CKernels

/// One query's way through an index: rank the lists, scan the best, keep the best titles, score them again exactly.
///
/// Nothing here is larger than it looks: all that grows lies in the scratch.
struct Search {
  private let index: PartitionedIndex
  private let query: UnsafePointer<Float>
  private let k: Int
  private let allowed: OrdinalFilter?
  private let deadline: Instant
  private let time: any TimeSource
  private let scratch: SearchScratch
  private let kernels = mk_active()

  /// Candidates in `scratch.keys`, those that matter first.
  private var held = 0
  /// Candidates that are kept when there are too many, and that are scored again at the end.
  private var keep: Int
  /// No score below this can be among those kept.
  private var threshold: Float = -.infinity
  private var bytesSinceLook = 0
  private var hasExactScores = false
  private var outcome = SearchOutcome()
  /// Titles seen that the filter lets pass.
  private var passed = 0

  /// Bytes of rows between two looks at the clock: 10 to 20 µs of work where memory is slow.
  private static let bytesBetweenLooks = 128 << 10

  init(
    index: PartitionedIndex, query: UnsafePointer<Float>, k: Int, allowed: OrdinalFilter?, deadline: Instant,
    time: any TimeSource, scratch: SearchScratch
  ) {
    self.index = index
    self.query = query
    self.k = k
    self.allowed = allowed
    self.deadline = deadline
    self.time = time
    self.scratch = scratch
    keep = k
  }

  // MARK: The three ways

  /// Scores every allowed title against its vector.
  mutating func scoreAll() {
    hasExactScores = true
    outcome.isExact = true
    for part in index.parts {
      guard let rows = part.vectors.base, let dots = scratch.floatDots.baseAddress else { continue }
      var next = 0
      while next < part.vectors.count {
        if isLate() { return }
        let block = min(SearchScratch.blockCount, part.vectors.count - next)
        let stride = part.vectors.rowStride
        kernels.pointee.dot_halves(
          rows + next * stride, stride, block, query, index.dimensions, dots)
        for offset in 0..<block { consider(dots[offset], part.first + UInt32(next + offset)) }
        count(rows: block, bytes: block * stride * 2)
        next += block
      }
    }
  }

  /// Scores the few titles that a filter lets pass.
  mutating func scoreAllowed(_ filter: OrdinalFilter) {
    hasExactScores = true
    outcome.isExact = true
    for part in index.parts {
      let end = Int(part.first) + part.vectors.count
      var waiting = 0
      var word = Int(part.first) >> 6
      while word << 6 < end {
        var bits = filter.words[word]
        while bits != 0 {
          let ordinal = word << 6 + bits.trailingZeroBitCount
          bits &= bits - 1
          guard ordinal >= Int(part.first), ordinal < end else { continue }
          scratch.locals[waiting] = UInt32(ordinal) - part.first
          waiting += 1
          if waiting == SearchScratch.blockCount {
            if isLate() { return }
            score(waiting, of: part)
            waiting = 0
          }
        }
        word += 1
      }
      if isLate() { return }
      score(waiting, of: part)
    }
  }

  /// Scans the `probes` best lists, and more while there are too few.
  mutating func probe(_ probes: Int) {
    guard let base = index.parts.first?.index else { return }
    keep = min(max(k * 2, k + 100), SearchScratch.rescoreCountMax)
    quantiseQuery(rowStride: base.rowStride)
    rankLists(of: base)
    var ranked = 0
    var next = 0
    var wanted = min(max(probes, 1), base.listCount)
    while next < wanted {
      if next == ranked {
        ranked = rankMore(from: ranked, count: max(wanted - ranked, 16), of: base.listCount)
      }
      let list = Int(mk_key_ordinal(scratch.listKeys[next]))
      for part in index.parts {
        guard scan(list, of: part) else { return }
      }
      next += 1
      outcome.probedListCount = next
      wanted = min(base.listCount, wantedProbes(max(probes, 1), after: next))
    }
  }

  // MARK: Lists

  private func quantiseQuery(rowStride: Int) {
    guard let bytes = scratch.queryBytes.baseAddress else { return }
    bytes.withMemoryRebound(to: UInt8.self, capacity: rowStride) { biased in
      _ = mk_quantise(query, index.dimensions, biased)
      for dimension in 0..<index.dimensions { biased[dimension] ^= 0x80 }
      for dimension in index.dimensions..<rowStride { biased[dimension] = 0 }
    }
  }

  private func rankLists(of base: VectorIndex) {
    scratch.reserve(listCount: base.listCount)
    guard let rows = base.centroidRows.baseAddress, let scales = base.centroidScales.baseAddress,
      let bytes = scratch.queryBytes.baseAddress, let dots = scratch.listDots.baseAddress,
      let numbers = scratch.listNumbers.baseAddress, let keys = scratch.listKeys.baseAddress
    else { return }
    kernels.pointee.dot_bytes(rows, base.rowStride, base.listCount, bytes, base.rowStride, dots)
    var passed = 0
    _ = kernels.pointee.select(dots, scales, numbers, 0, base.listCount, -.infinity, nil, keys, &passed)
  }

  /// Brings the next `count` best lists into order; returns how many are in order now.
  private func rankMore(from ranked: Int, count: Int, of listCount: Int) -> Int {
    guard let keys = scratch.listKeys.baseAddress else { return ranked }
    let end = min(listCount, ranked + count)
    mk_keep_largest(keys + ranked, listCount - ranked, end - ranked)
    mk_sort_descending(keys + ranked, end - ranked)
    return end
  }

  /// How many lists are looked into, from what was seen in the first `next`: enough to fill k twice over, and with a
  /// filter more than without, because a share s that passes spreads the best k over more lists. Their number grows
  /// about with the root of 1/s: measured on clustered vectors, for shares of 1/2 to 1/100 at a recall of 0.95.
  private func wantedProbes(_ probes: Int, after next: Int) -> Int {
    if passed < k * 2 { return next + 1 }
    guard allowed != nil else { return probes }
    let share = Float(passed) / Float(max(outcome.scannedCount, 1))
    return Int((Float(probes) * (1.15 / share.squareRoot() - 0.15)).rounded(.up))
  }

  /// Scans one list of one part. False when the deadline has come.
  private mutating func scan(_ list: Int, of part: PartitionedIndex.Part) -> Bool {
    let index = part.index
    guard let rows = index.rows.baseAddress, let scales = index.scales.baseAddress,
      let ordinals = index.ordinals.baseAddress, let bytes = scratch.queryBytes.baseAddress,
      let dots = scratch.dots.baseAddress, let keys = scratch.keys.baseAddress
    else { return true }
    var next = Int(index.offsets[list])
    let end = Int(index.offsets[list + 1])
    while next < end {
      if isLate() { return false }
      let block = min(SearchScratch.blockCount, end - next)
      kernels.pointee.dot_bytes(
        rows + next * index.rowStride, index.rowStride, block, bytes, index.rowStride, dots)
      var passed = 0
      held += kernels.pointee.select(
        dots, scales + next, ordinals + next, part.first, block, threshold, allowed?.words, keys + held,
        &passed)
      self.passed += passed
      if held >= keep * 2 { letGo() }
      count(rows: block, bytes: block * index.rowStride)
      next += block
    }
    return true
  }

  // MARK: Candidates

  private mutating func count(rows: Int, bytes: Int) {
    outcome.scannedCount += rows
    bytesSinceLook += bytes
  }

  /// Looks at the clock when enough has been done since the last time.
  private mutating func isLate() -> Bool {
    guard outcome.scannedCount == 0 || bytesSinceLook >= Self.bytesBetweenLooks else { return false }
    bytesSinceLook = 0
    guard time.instant >= deadline else { return false }
    outcome.isPartial = true
    outcome.isExact = false
    return true
  }

  private mutating func consider(_ score: Float, _ ordinal: UInt32) {
    guard !(score < threshold), allowed?.allows(ordinal) ?? true else { return }
    scratch.keys[held] = mk_key(score, ordinal)
    held += 1
    if held >= keep * 2 { letGo() }
  }

  /// Keeps the best `keep`, and raises the threshold to the last of them.
  private mutating func letGo() {
    guard held > keep, let keys = scratch.keys.baseAddress else { return }
    mk_keep_largest(keys, held, keep)
    held = keep
    var least = keys[0]
    for place in 1..<keep { least = min(least, keys[place]) }
    threshold = mk_key_score(least)
  }

  /// Scores the first `count` of `scratch.locals` exactly.
  private mutating func score(_ count: Int, of part: PartitionedIndex.Part) {
    guard count > 0, let rows = part.vectors.base, let locals = scratch.locals.baseAddress,
      let dots = scratch.floatDots.baseAddress
    else { return }
    let stride = part.vectors.rowStride
    kernels.pointee.dot_halves_at(rows, stride, locals, count, query, index.dimensions, dots)
    for place in 0..<count { consider(dots[place], part.first + locals[place]) }
    self.count(rows: count, bytes: count * stride * 2)
  }

  // MARK: Results

  /// Scores what is left again, and leaves the best k in order in the scratch.
  mutating func finish() -> SearchOutcome {
    if !hasExactScores { rescore() }
    guard let keys = scratch.keys.baseAddress else { return outcome }
    let count = min(k, held)
    mk_keep_largest(keys, held, count)
    mk_sort_descending(keys, count)
    for place in 0..<count {
      scratch.ordinals[place] = mk_key_ordinal(keys[place])
      scratch.scores[place] = mk_key_score(keys[place])
    }
    outcome.count = count
    return outcome
  }

  private mutating func rescore() {
    // Late already: the k best by bytes are scored again for their order, not more of them for better ones.
    if outcome.isPartial { keep = k }
    letGo()
    guard let keys = scratch.keys.baseAddress, let locals = scratch.locals.baseAddress,
      let dots = scratch.floatDots.baseAddress
    else { return }
    // Keys of one part are replaced in place; those of the other are told apart by their ordinals.
    for part in index.parts {
      guard let rows = part.vectors.base else { continue }
      let end = part.first + UInt32(part.vectors.count)
      var count = 0
      for place in 0..<held {
        let ordinal = mk_key_ordinal(keys[place])
        guard ordinal >= part.first, ordinal < end else { continue }
        locals[count] = ordinal - part.first
        count += 1
      }
      kernels.pointee.dot_halves_at(
        rows, part.vectors.rowStride, locals, count, query, index.dimensions, dots)
      count = 0
      for place in 0..<held {
        let ordinal = mk_key_ordinal(keys[place])
        guard ordinal >= part.first, ordinal < end else { continue }
        keys[place] = mk_key(dots[count], ordinal)
        count += 1
      }
    }
  }
}
