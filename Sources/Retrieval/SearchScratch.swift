internal import Base
internal import CKernels

/// What one worker thread needs to search, and where its results are left. Reused; grows only for a larger generation.
package final class SearchScratch {
  /// The results, best first: `SearchOutcome.count` of them, until the next search.
  package let ordinals: UnsafeMutableBufferPointer<UInt32>
  /// Inner products with the query, beside `ordinals`: exact where the outcome says so, else within about 0.001 of a unit
  /// query's.
  package let scores: UnsafeMutableBufferPointer<Float>

  /// The query with its largest magnitude 1, and turned.
  let query: UnsafeMutableBufferPointer<Float>
  let turned: UnsafeMutableBufferPointer<Float>
  /// The query in whole numbers, 128 × high + low, padded with zeros to a row.
  let high: UnsafeMutableBufferPointer<Int8>
  let low: UnsafeMutableBufferPointer<Int8>
  /// Products of the query with the codewords of each code, their range, and what they become.
  let products: UnsafeMutableBufferPointer<Float>
  let least: UnsafeMutableBufferPointer<Float>
  let largest: UnsafeMutableBufferPointer<Float>
  let tables: UnsafeMutableBufferPointer<UInt8>
  /// The turned query in whole numbers, the upper halves and then the lower, and what blocks are chosen by.
  let middleQuery: UnsafeMutableBufferPointer<Int8>
  let middles: UnsafeMutablePointer<mk_middles>
  let codes: UnsafeMutablePointer<mk_codes>
  /// Blocks that are scanned, and those that are next.
  let blocks: UnsafeMutablePointer<mk_blocks>
  let blocksAhead: UnsafeMutablePointer<mk_blocks>
  /// Candidates by their codes.
  let pool: UnsafeMutablePointer<mk_pool>
  /// Candidates that are scored.
  let keys: UnsafeMutableBufferPointer<UInt64>
  let spareKeys: UnsafeMutableBufferPointer<UInt64>
  let dots: UnsafeMutableBufferPointer<Float>
  /// Rows within one part that are scored.
  let locals: UnsafeMutableBufferPointer<UInt32>
  /// Lists, ranked; 0, 1, 2 … beside them, and room to rank them in.
  private(set) var listKeys: UnsafeMutableBufferPointer<UInt64>
  private(set) var listNumbers: UnsafeMutableBufferPointer<UInt32>
  private(set) var listDots: UnsafeMutableBufferPointer<Int32>
  private(set) var listRanks: UnsafeMutableBufferPointer<Int32>
  private(set) var listSpare: UnsafeMutableBufferPointer<UInt64>
  private(set) var rankedLists: UnsafeMutableBufferPointer<mk_list>

  /// Titles that are taken at once.
  static let blockCount = Int(MK_TOGETHER) * Int(MK_BLOCK)
  /// Candidates that may be scored by their rows: four times as many as there are results.
  static let keptCountMax = Limits.candidateCountMax * 4
  private static let poolCount = keptCountMax * 3 + blockCount + Int(MK_KEEP_SLACK)

  package init() {
    ordinals = .allocate(capacity: Limits.candidateCountMax)
    scores = .allocate(capacity: Limits.candidateCountMax)
    query = .allocate(capacity: Limits.dimensionsMax)
    turned = .allocate(capacity: Limits.dimensionsMax)
    high = .allocate(capacity: VectorIndex.rowStride(dimensions: Limits.dimensionsMax))
    low = .allocate(capacity: VectorIndex.rowStride(dimensions: Limits.dimensionsMax))
    let codeCount = 2 * Int(MK_PAIR_LIMIT)
    products = .allocate(capacity: codeCount * Int(MK_BOOK))
    least = .allocate(capacity: codeCount)
    largest = .allocate(capacity: codeCount)
    tables = .allocate(capacity: codeCount * Int(MK_BOOK))
    pool = .allocate(capacity: 1)
    pool.initialize(
      to: mk_pool(
        places: .allocate(capacity: Self.poolCount), scores: .allocate(capacity: Self.poolCount),
        bins: .allocate(capacity: Int(MK_POOL_BINS)), capacity: Self.poolCount - Int(MK_KEEP_SLACK),
        held: 0, keep: 0, inside: 0,
        bin: 0,
        shift: 0, base: 0, floor: 0))
    middleQuery = .allocate(capacity: 2 * IndexHead.blockWidth(turnedCount: Limits.dimensionsMax))
    middles = .allocate(capacity: 1)
    codes = .allocate(capacity: 1)
    blocks = .allocate(capacity: 1)
    blocksAhead = .allocate(capacity: 1)
    blocks.initialize(to: mk_blocks())
    blocksAhead.initialize(to: mk_blocks())
    keys = .allocate(capacity: Self.keptCountMax + Self.blockCount)
    spareKeys = .allocate(capacity: Self.keptCountMax + Self.blockCount)
    dots = .allocate(capacity: Self.keptCountMax)
    locals = .allocate(capacity: Self.keptCountMax)
    listKeys = .allocate(capacity: 0)
    listNumbers = .allocate(capacity: 0)
    listDots = .allocate(capacity: 0)
    listRanks = .allocate(capacity: 0)
    listSpare = .allocate(capacity: 0)
    rankedLists = .allocate(capacity: 0)
    ordinals.initialize(repeating: 0)
    scores.initialize(repeating: 0)
  }

  deinit {
    ordinals.deallocate()
    scores.deallocate()
    query.deallocate()
    turned.deallocate()
    high.deallocate()
    low.deallocate()
    products.deallocate()
    least.deallocate()
    largest.deallocate()
    tables.deallocate()
    pool.pointee.places.deallocate()
    pool.pointee.scores.deallocate()
    pool.pointee.bins.deallocate()
    pool.deallocate()
    middleQuery.deallocate()
    middles.deallocate()
    codes.deallocate()
    blocks.deallocate()
    blocksAhead.deallocate()
    keys.deallocate()
    spareKeys.deallocate()
    dots.deallocate()
    locals.deallocate()
    listKeys.deallocate()
    listNumbers.deallocate()
    listDots.deallocate()
    listRanks.deallocate()
    listSpare.deallocate()
    rankedLists.deallocate()
  }

  /// Room for an index's lists. Allocates only when there are more than ever before.
  func reserve(listCount: Int) {
    guard listCount > listNumbers.count else { return }
    listKeys.deallocate()
    listNumbers.deallocate()
    listDots.deallocate()
    listRanks.deallocate()
    listSpare.deallocate()
    rankedLists.deallocate()
    listKeys = .allocate(capacity: listCount + Int(MK_SELECT_SLACK))
    listNumbers = .allocate(capacity: listCount)
    listDots = .allocate(capacity: listCount)
    listRanks = .allocate(capacity: listCount)
    listSpare = .allocate(capacity: listCount + Int(MK_SELECT_SLACK))
    rankedLists = .allocate(capacity: listCount)
    for list in 0..<listCount { listNumbers.initializeElement(at: list, to: UInt32(list)) }
  }
}
