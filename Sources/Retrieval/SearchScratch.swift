internal import Base
internal import CKernels

/// What one worker thread needs to search, and where its results are left. Reused; grows only for a larger generation.
package final class SearchScratch {
  /// The results, best first: `SearchOutcome.count` of them, until the next search.
  package private(set) var ordinals: UnsafeMutableBufferPointer<UInt32>
  /// Inner products with the query, beside `ordinals`.
  package private(set) var scores: UnsafeMutableBufferPointer<Float>

  /// The query as signed bytes, padded with zeros to a row.
  let queryBytes: UnsafeMutableBufferPointer<Int8>
  /// Candidates: see ``candidateCapacity``.
  let keys: UnsafeMutableBufferPointer<UInt64>
  /// Products of one block of rows.
  let dots: UnsafeMutableBufferPointer<Int32>
  let floatDots: UnsafeMutableBufferPointer<Float>
  /// Ordinals within one part that are scored again.
  let locals: UnsafeMutableBufferPointer<UInt32>
  /// Lists of all distinct centroid sets, ranked; and 0, 1, 2 … beside them.
  private(set) var listKeys: UnsafeMutableBufferPointer<UInt64>
  private(set) var listNumbers: UnsafeMutableBufferPointer<UInt32>
  private(set) var listDots: UnsafeMutableBufferPointer<Int32>

  /// Rows whose products are taken at once: 512 × 4 bytes of them stay in the first cache.
  static let blockCount = 512
  /// Candidates that may be scored again.
  static let rescoreCountMax = Limits.candidateCountMax * 2
  /// Candidates held before the worse half is let go.
  static let candidateCapacity = rescoreCountMax * 2 + blockCount + Int(MK_SELECT_SLACK)

  package init() {
    ordinals = .allocate(capacity: Limits.candidateCountMax)
    scores = .allocate(capacity: Limits.candidateCountMax)
    queryBytes = .allocate(capacity: VectorIndex.rowStride(dimensions: Limits.dimensionsMax))
    keys = .allocate(capacity: Self.candidateCapacity)
    dots = .allocate(capacity: Self.blockCount)
    floatDots = .allocate(capacity: Self.rescoreCountMax)
    locals = .allocate(capacity: Self.rescoreCountMax)
    listKeys = .allocate(capacity: 0)
    listNumbers = .allocate(capacity: 0)
    listDots = .allocate(capacity: 0)
    ordinals.initialize(repeating: 0)
    scores.initialize(repeating: 0)
  }

  deinit {
    ordinals.deallocate()
    scores.deallocate()
    queryBytes.deallocate()
    keys.deallocate()
    dots.deallocate()
    floatDots.deallocate()
    locals.deallocate()
    listKeys.deallocate()
    listNumbers.deallocate()
    listDots.deallocate()
  }

  /// Room for an index's lists. Allocates only when there are more than ever before.
  func reserve(listCount: Int) {
    guard listCount > listNumbers.count else { return }
    listKeys.deallocate()
    listNumbers.deallocate()
    listDots.deallocate()
    listKeys = .allocate(capacity: listCount + Int(MK_SELECT_SLACK))
    listNumbers = .allocate(capacity: listCount)
    listDots = .allocate(capacity: listCount)
    for list in 0..<listCount { listNumbers.initializeElement(at: list, to: UInt32(list)) }
  }
}

/// How a search went. The results are in its scratch.
package struct SearchOutcome: Sendable, Equatable {
  /// Results in the scratch's `ordinals` and `scores`.
  package var count: Int
  /// The deadline came first: these are the best of what had been seen.
  package var isPartial: Bool
  /// Every allowed title was scored exactly.
  package var isExact: Bool
  package var probedListCount: Int
  /// Titles looked at.
  package var scannedCount: Int

  package init(
    count: Int = 0, isPartial: Bool = false, isExact: Bool = false, probedListCount: Int = 0,
    scannedCount: Int = 0
  ) {
    self.count = count
    self.isPartial = isPartial
    self.isExact = isExact
    self.probedListCount = probedListCount
    self.scannedCount = scannedCount
  }
}
