internal import Base
internal import CKernels

/// One query's way past every title that may be found: each is scored by its embedding, and the best are kept.
struct ExactSearch {
  private let index: PartitionedIndex
  private let query: UnsafePointer<Float>
  private let k: Int
  private let scratch: SearchScratch
  private let kernels = mk_active()
  private var watch: DeadlineWatch

  /// Candidates in `scratch.keys`, those that matter first.
  private var held = 0
  /// No score below this can be among the k best.
  private var threshold: Float = -.infinity
  private var outcome = SearchOutcome(isExact: true)

  /// Rows whose products are taken at once.
  static let blockCount = 512

  init(
    index: PartitionedIndex, query: UnsafePointer<Float>, k: Int, watch: DeadlineWatch,
    scratch: SearchScratch
  ) {
    self.index = index
    self.query = query
    self.k = k
    self.watch = watch
    self.scratch = scratch
  }

  /// Scores every title, and keeps those that are allowed.
  mutating func scoreAll(allowed: OrdinalFilter?) -> SearchOutcome {
    for part in index.parts {
      guard let rows = part.vectors.base else { continue }
      let products = scratch.products
      let stride = part.vectors.rowStride
      var next = 0
      while next < part.vectors.count {
        if watch.look() { return finish() }
        let block = min(Self.blockCount, part.vectors.count - next)
        kernels.pointee.dot_halves(
          rows + next * stride, stride, block, query, index.dimensions, products)
        for offset in 0..<block {
          let ordinal = part.first + UInt32(next + offset)
          if allowed?.allows(ordinal) ?? true { consider(products[offset], ordinal) }
        }
        count(rows: block, bytes: block * stride * 2)
        next += block
      }
    }
    return finish()
  }

  /// Scores the few titles that a filter lets pass.
  mutating func score(_ filter: OrdinalFilter) -> SearchOutcome {
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
          scratch.slots[waiting] = UInt32(ordinal) - part.first
          waiting += 1
          if waiting == Self.blockCount {
            if watch.look() { return finish() }
            score(waiting, of: part)
            waiting = 0
          }
        }
        word += 1
      }
      if watch.look() { return finish() }
      score(waiting, of: part)
    }
    return finish()
  }

  /// Scores the first `count` of `scratch.slots`, which are ordinals of the part here.
  private mutating func score(_ count: Int, of part: PartitionedIndex.Part) {
    guard count > 0, let rows = part.vectors.base else { return }
    let (ordinals, products) = (scratch.slots, scratch.products)
    let stride = part.vectors.rowStride
    kernels.pointee.dot_halves_at(rows, stride, ordinals, count, query, index.dimensions, products)
    for place in 0..<count { consider(products[place], part.first + ordinals[place]) }
    self.count(rows: count, bytes: count * stride * 2)
  }

  private mutating func count(rows: Int, bytes: Int) {
    outcome.scannedCount += rows
    watch.count(bytes: bytes)
  }

  private mutating func consider(_ score: Float, _ ordinal: UInt32) {
    guard !(score < threshold) else { return }
    scratch.keys[held] = mk_key(score, ordinal)
    held += 1
    if held == k * 2 { letGo() }
  }

  /// Keeps the best k, and raises the threshold to the last of them.
  private mutating func letGo() {
    guard held > k else { return }
    let keys = scratch.keys
    mk_keep_largest(keys, held, k)
    held = k
    var least = keys[0]
    for place in 1..<k { least = min(least, keys[place]) }
    threshold = mk_key_score(least)
  }

  private mutating func finish() -> SearchOutcome {
    outcome.isPartial = watch.isLate
    outcome.isExact = !watch.isLate
    letGo()
    scratch.sortKeys(held)
    outcome.count = scratch.publish(held)
    return outcome
  }
}
