internal import Base
internal import CKernels

/// What one worker thread needs to search, and where its results are left. Reused; grows only for more lists.
package final class SearchScratch {
  /// The results, best first: `SearchOutcome.count` of them, until the next search.
  package let ordinals: UnsafeMutableBufferPointer<UInt32>
  /// Inner products with the query, beside `ordinals`.
  package let scores: UnsafeMutableBufferPointer<Float>

  /// The turned query, and its weights for codes or rows.
  let turned: UnsafeMutablePointer<Float>
  let weights: UnsafeMutablePointer<Float>
  let codeQuery: UnsafeMutablePointer<mk_query>
  let rowQuery: UnsafeMutablePointer<mk_query>
  let filter: UnsafeMutablePointer<mk_scan_filter>

  /// Candidates of the scan: products, and slots beside them. Those that are kept of one part, apart from the other's.
  let products: UnsafeMutablePointer<Float>
  let codeScores: UnsafeMutablePointer<Int32>
  let slots: UnsafeMutablePointer<UInt32>
  let partScores: UnsafeMutablePointer<Int32>
  let partSlots: UnsafeMutablePointer<UInt32>
  /// The last candidates, scored and named.
  let keys: UnsafeMutablePointer<UInt64>
  private let spareKeys: UnsafeMutablePointer<UInt64>

  let lists = ListScratch()

  /// Candidates that may be scored again.
  static let rescoreCountMax = Limits.candidateCountMax * Int(SearchSetting.rescoreShareMax)
  /// Titles that are scanned between two looks at how many candidates there are.
  static let scanCountMax = 2048
  static let candidateCapacity = rescoreCountMax * 2 + scanCountMax + Int(MK_SCAN_SLACK)

  package init() {
    ordinals = .allocate(capacity: Limits.candidateCountMax)
    scores = .allocate(capacity: Limits.candidateCountMax)
    turned = .allocate(capacity: Limits.dimensionsMax + Int(MK_PANEL))
    weights = .allocate(capacity: Int(MK_ROW_MAX))
    codeQuery = .allocate(capacity: 1)
    rowQuery = .allocate(capacity: 1)
    filter = .allocate(capacity: 1)
    products = .allocate(capacity: Self.candidateCapacity)
    codeScores = .allocate(capacity: Self.candidateCapacity)
    slots = .allocate(capacity: Self.candidateCapacity)
    partScores = .allocate(capacity: Self.candidateCapacity)
    partSlots = .allocate(capacity: Self.candidateCapacity)
    keys = .allocate(capacity: Self.candidateCapacity)
    spareKeys = .allocate(capacity: Self.candidateCapacity)
    ordinals.initialize(repeating: 0)
    scores.initialize(repeating: 0)
    turned.initialize(repeating: 0, count: Limits.dimensionsMax + Int(MK_PANEL))
    weights.initialize(repeating: 0, count: Int(MK_ROW_MAX))
    codeQuery.initialize(to: mk_query())
    rowQuery.initialize(to: mk_query())
  }

  deinit {
    ordinals.deallocate()
    scores.deallocate()
    turned.deallocate()
    weights.deallocate()
    codeQuery.deallocate()
    rowQuery.deallocate()
    filter.deallocate()
    products.deallocate()
    codeScores.deallocate()
    slots.deallocate()
    partScores.deallocate()
    partSlots.deallocate()
    keys.deallocate()
    spareKeys.deallocate()
  }

  /// Sorts the first `count` keys, best first.
  func sortKeys(_ count: Int) { mk_sort_keys(keys, count, spareKeys) }

  /// Leaves the first `count` keys as the results.
  func publish(_ count: Int) -> Int {
    for place in 0..<count {
      ordinals[place] = mk_key_ordinal(keys[place])
      scores[place] = mk_key_score(keys[place])
    }
    return count
  }
}

/// Room for an index's lists.
final class ListScratch {
  /// By list: the product of its centroid with the query.
  private(set) var products: UnsafeMutablePointer<Int32>
  /// Lists that matter and what they are ranked by, side by side.
  private(set) var ranks: UnsafeMutablePointer<Int32>
  private(set) var numbers: UnsafeMutablePointer<UInt32>
  /// In the order in which lists are scanned.
  private(set) var ordered: UnsafeMutablePointer<UInt32>
  private(set) var centres: UnsafeMutablePointer<Int32>
  private(set) var titles: UnsafeMutablePointer<Float>
  private(set) var steepness: UnsafeMutablePointer<Float>
  private(set) var yields: UnsafeMutablePointer<Float>
  private var capacity = 0

  init() {
    products = .allocate(capacity: 0)
    ranks = .allocate(capacity: 0)
    numbers = .allocate(capacity: 0)
    ordered = .allocate(capacity: 0)
    centres = .allocate(capacity: 0)
    titles = .allocate(capacity: 0)
    steepness = .allocate(capacity: 0)
    yields = .allocate(capacity: 0)
  }

  deinit { deallocate() }

  private func deallocate() {
    products.deallocate()
    ranks.deallocate()
    numbers.deallocate()
    ordered.deallocate()
    centres.deallocate()
    titles.deallocate()
    steepness.deallocate()
    yields.deallocate()
  }

  /// Allocates only when there are more lists than ever before.
  func reserve(listCount: Int) {
    let wanted = (listCount + Int(MK_GROUP) - 1) / Int(MK_GROUP) * Int(MK_GROUP)
    guard wanted > capacity else { return }
    deallocate()
    products = .allocate(capacity: wanted)
    ranks = .allocate(capacity: wanted)
    numbers = .allocate(capacity: wanted)
    ordered = .allocate(capacity: wanted)
    centres = .allocate(capacity: wanted)
    titles = .allocate(capacity: wanted)
    steepness = .allocate(capacity: wanted)
    yields = .allocate(capacity: wanted)
    capacity = wanted
  }
}
