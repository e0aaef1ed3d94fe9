internal import Base
internal import CKernels

/// The numbers that an index segment begins with.
struct IndexHead {
  static let wordCount = 16
  static let spreadWeightMax: Float = 16

  var dimensions: Int
  var rowStride: Int
  var titleCount: Int
  var listCount: Int
  /// 0 for a tail.
  var pairCount: Int
  var turnedCount: Int
  var effort: SearchEffort
  /// How much of a list's spread counts where lists are ranked.
  var spreadWeight: Float
  var filterLaw: FilterLaw
  /// What a unit of a block's row counts.
  var blockStep: Float = 0
  /// Of the centroids: a tail's lists are its base's.
  var digest: UInt64

  /// Bytes of a block's row, four at least.
  var blockWidth: Int { Self.blockWidth(turnedCount: turnedCount) }

  static func blockWidth(turnedCount: Int) -> Int { (max(1, turnedCount) + 3) / 4 * 4 }

  var words: [UInt32] {
    [
      UInt32(dimensions), UInt32(rowStride), UInt32(titleCount), UInt32(listCount), UInt32(pairCount),
      UInt32(turnedCount), effort.reach.bitPattern, UInt32(effort.kept), effort.refines ? 1 : 0,
      UInt32(truncatingIfNeeded: digest), UInt32(truncatingIfNeeded: digest >> 32),
      spreadWeight.bitPattern,
      UInt32(effort.lists), filterLaw.chanceReach.bitPattern,
      filterLaw.listsReach.bitPattern, blockStep.bitPattern,
    ]
  }
}

extension IndexHead {
  init(_ words: UnsafeBufferPointer<UInt32>) {
    dimensions = Int(words[0])
    rowStride = Int(words[1])
    titleCount = Int(words[2])
    listCount = Int(words[3])
    pairCount = Int(words[4])
    turnedCount = Int(words[5])
    effort = SearchEffort(
      reach: Float(bitPattern: words[6]), kept: Int(words[7]), refines: words[8] != 0, lists: Int(words[12]))
    spreadWeight = Float(bitPattern: words[11])
    filterLaw = FilterLaw(
      chanceReach: Float(bitPattern: words[13]), listsReach: Float(bitPattern: words[14]))
    blockStep = Float(bitPattern: words[15])
    digest = UInt64(words[9]) | UInt64(words[10]) << 32
  }

  func check(_ name: String) throws(Refusal) {
    let place = "\(name) section HEAD"
    guard (1...Limits.dimensionsMax).contains(dimensions), titleCount <= Limits.titleCountMax,
      listCount <= VectorIndex.listCountMax
    else {
      throw Refusal(
        .limitExceeded, at: place, "has \(dimensions) dimensions, \(titleCount) titles, \(listCount) lists")
    }
    guard rowStride == VectorIndex.rowStride(dimensions: dimensions), listCount > 0 else {
      throw Refusal(.unreadable, at: place, "has rows of \(rowStride) bytes and \(listCount) lists")
    }
    guard pairCount <= Int(MK_PAIR_LIMIT), turnedCount <= dimensions, pairCount > 0 || turnedCount == 0 else {
      throw Refusal(.unreadable, at: place, "has \(pairCount) pairs of codes of \(turnedCount) dimensions")
    }
    guard spreadWeight >= 0, spreadWeight <= Self.spreadWeightMax else {
      throw Refusal(.unreadable, at: place, "has lists' spread count \(spreadWeight) times")
    }
    guard blockStep >= 0, blockStep < 1e9 else {
      throw Refusal(.unreadable, at: place, "has rows of blocks count \(blockStep)")
    }
    guard filterLaw.isSound else {
      throw Refusal(
        .unreadable, at: place,
        "has filters reach \(filterLaw.chanceReach) and \(filterLaw.listsReach) further")
    }
    guard effort.isSound(listCount: listCount) else {
      throw Refusal(
        .unreadable, at: place,
        "is tuned to a reach of \(effort.reach) in \(effort.lists) lists, \(effort.kept) kept")
    }
  }
}
