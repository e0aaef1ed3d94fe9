internal import Base
internal import CKernels

/// Scores every title that may be returned by its vector: for small catalogues, and for filters that let few pass.
struct ExactSearch {
  private let index: PartitionedIndex
  private let query: UnsafePointer<Float>
  private let k: Int
  private let allowed: OrdinalFilter?
  private var clock: SearchClock
  private let scratch: SearchScratch
  private let kernels = mk_active()
  private var held = 0
  /// No score below this can be among the best k.
  private var threshold: Float = -.infinity
  private var outcome = SearchOutcome(isExact: true)

  init(
    index: PartitionedIndex, query: UnsafePointer<Float>, k: Int, allowed: OrdinalFilter?, clock: SearchClock,
    scratch: SearchScratch
  ) {
    self.index = index
    self.query = query
    self.k = k
    self.allowed = allowed
    self.clock = clock
    self.scratch = scratch
  }

  /// Rows that are scored at once.
  private static var blockCount: Int { 512 }

  /// Scores every allowed title, row after row.
  mutating func scoreAll() {
    for part in index.parts {
      guard let vectors = part.vectors, let rows = vectors.base, let dots = scratch.dots.baseAddress else {
        continue
      }
      var next = 0
      while next < vectors.count {
        if isLate() { return }
        let block = min(Self.blockCount, vectors.count - next)
        let stride = vectors.rowStride
        kernels.pointee.dot_halves(rows + next * stride, stride, block, query, index.dimensions, dots)
        for offset in 0..<block { consider(dots[offset], part.first + UInt32(next + offset)) }
        count(rows: block, stride: stride)
        next += block
      }
    }
  }

  /// Scores the few titles that a filter lets pass.
  mutating func scoreAllowed(_ filter: OrdinalFilter) {
    for part in index.parts {
      let end = Int(part.first) + part.index.count
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
          if waiting == Self.blockCount {
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

  /// Leaves the best k in order in the scratch.
  mutating func finish() -> SearchOutcome {
    guard let keys = scratch.keys.baseAddress, let spare = scratch.spareKeys.baseAddress else {
      return outcome
    }
    let count = min(k, held)
    mk_best_in_order(keys, held, count, spare)
    for place in 0..<count {
      scratch.ordinals[place] = mk_key_ordinal(keys[place])
      scratch.scores[place] = mk_key_score(keys[place])
    }
    outcome.count = count
    return outcome
  }

  private mutating func isLate() -> Bool {
    guard clock.isLate() else { return false }
    outcome.isPartial = true
    outcome.isExact = false
    return true
  }

  /// Scores the first `count` of `scratch.locals`.
  private mutating func score(_ count: Int, of part: PartitionedIndex.Part) {
    guard count > 0, let vectors = part.vectors, let rows = vectors.base,
      let locals = scratch.locals.baseAddress,
      let dots = scratch.dots.baseAddress
    else { return }
    let stride = vectors.rowStride
    kernels.pointee.dot_halves_at(rows, stride, locals, count, query, index.dimensions, dots)
    for place in 0..<count { consider(dots[place], part.first + locals[place]) }
    self.count(rows: count, stride: stride)
  }

  private mutating func count(rows: Int, stride: Int) {
    outcome.scannedCount += rows
    clock.count(bytes: rows * stride * 2)
  }

  private mutating func consider(_ score: Float, _ ordinal: UInt32) {
    guard !(score < threshold), allowed?.allows(ordinal) ?? true else { return }
    scratch.keys[held] = mk_key(score, ordinal)
    held += 1
    guard held == 2 * k, let keys = scratch.keys.baseAddress else { return }
    mk_keep_largest(keys, held, k)
    held = k
    var least = keys[0]
    for place in 1..<k { least = min(least, keys[place]) }
    threshold = mk_key_score(least)
  }
}
