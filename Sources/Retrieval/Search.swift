#if canImport(Glibc)
  internal import Glibc
#else
  internal import Darwin
#endif
internal import Base
internal import CKernels

/// One part as a search sees it: only pointers, so that nothing is counted on the way.
struct SearchPart: Sendable {
  var tables: IndexTables
  /// The first ordinal of the part in the generation, and its first slot among all parts'.
  var firstOrdinal: UInt32
  var firstSlot: UInt32

  static func parts(_ tables: [(tables: IndexTables, first: UInt32)]) -> [SearchPart] {
    var slot = 0
    return tables.map { part in
      defer { slot += part.tables.slotCount }
      return SearchPart(tables: part.tables, firstOrdinal: part.first, firstSlot: UInt32(slot))
    }
  }
}

/// One query's way through the lists: order them, scan codes from the best list on until the rest promises too little,
/// keep the best titles, score them again by their rows.
///
/// All that grows lies in the scratch, and every score is an integer until the last.
struct Search {
  private let parts: [SearchPart]
  private let base: IndexTables
  private let k: Int
  private let setting: SearchSetting
  private let scratch: SearchScratch
  private let kernels = mk_scan_active()
  private var watch: DeadlineWatch
  /// In the scratch, if there is one.
  private let filter: UnsafeMutablePointer<mk_scan_filter>?
  /// The share of all titles that the filter lets pass.
  private let allowedShare: Float

  /// What one of a code's or a row's weighted steps is worth.
  private let unit: Float
  private let rowUnit: Float
  private var order: ListOrder

  /// Candidates in `scratch.codeScores` and `scratch.slots`.
  private var held = 0
  /// Candidates that are kept when there are too many, and that are scored again at the end.
  private var keep: Int
  /// Only titles above it can be among those kept.
  private var threshold = Self.lowest
  private var outcome = SearchOutcome()

  /// No product reaches so far: see `MK_CODE_MAX`.
  private static let lowest: Int32 = -(1 << 30) - (1 << 26)
  private static let highest: Int32 = (1 << 30) + (1 << 26)

  /// `query` is finite, and `parts` share centroids.
  init(
    parts: [SearchPart], query: UnsafePointer<Float>, k: Int, setting: SearchSetting,
    allowed: OrdinalFilter?, count: Int, watch: DeadlineWatch, scratch: SearchScratch
  ) {
    self.parts = parts
    self.k = k
    self.setting = setting
    self.watch = watch
    self.scratch = scratch
    let base = parts[0].tables
    self.base = base
    keep = Self.keep(k, setting)
    allowedShare = allowed.map { min(1, Float(max($0.allowedCount, 1)) / Float(max(count, 1))) } ?? 1
    if let allowed {
      scratch.filter.initialize(
        to: mk_scan_filter(words: allowed.words, ordinals: base.ordinals, first: 0, asked: 0, passed: 0))
    }
    filter = allowed == nil ? nil : scratch.filter
    let weights = QueryWeights(query, tables: base, scratch: scratch)
    unit = weights.unit
    rowUnit = weights.rowUnit
    order = ListOrder(
      parts: parts, codeQuery: scratch.codeQuery, length: weights.length,
      chunk: setting.yieldShare > 0 ? 512 : 4096, scratch: scratch.lists)
  }

  private static func keep(_ k: Int, _ setting: SearchSetting) -> Int {
    // For few results a share of them is no margin.
    min(Int((Float(k) * setting.rescoreShare).rounded(.up)) + 16, SearchScratch.rescoreCountMax)
  }

  mutating func run() -> SearchOutcome {
    scanLists()
    outcome.isPartial = watch.isLate
    rescore()
    scratch.sortKeys(held)
    outcome.isPartial = watch.isLate
    outcome.count = scratch.publish(min(k, held))
    return outcome
  }

  // MARK: Lists

  private mutating func scanLists() {
    order.extend()
    var place = 0
    var nextLook = Self.firstLook
    while true {
      if place == order.count {
        if order.isComplete { return }
        order.extend()
      }
      let list = order.list(at: place)
      for part in parts {
        guard scan(list, of: part, next: place + 1) else { return }
      }
      place += 1
      outcome.probedListCount = place
      guard place >= nextLook else { continue }
      // Half of the way, since the threshold will have risen by then and the end come nearer; and no more than a
      // third of what is done, since the first thresholds are far too low.
      var step = Self.lookStep
      if let end = end(from: place) {
        if end <= place { return }
        step = max(step, min((end - place) / 2, place / 3))
      }
      nextLook = place + step
    }
  }

  private static var firstLook: Int { 12 }
  private static var lookStep: Int { 4 }

  /// Where to stop as things stand; `nil` while there are too few candidates to tell.
  private mutating func end(from place: Int) -> Int? {
    guard setting.yieldShare > 0, held >= k else { return nil }
    let kth = mk_threshold(scratch.codeScores, held, k, k / 16, Self.lowest, Self.highest)
    let share = self.share
    let least = yieldShare(passing: share) * Float(k) / share
    var end = order.end(from: place, threshold: kth, least: least)
    // Those that are not in order yet promise less than these, but are many; early on it is the threshold that is low.
    while place > order.count / 4, end > order.count - order.count / 4, !order.isComplete {
      order.extend()
      end = order.end(from: place, threshold: kth, least: least)
    }
    return end
  }

  /// What the lists that are left may promise. Far out in its tail the normal distribution promises about five times
  /// what is there, and the setting was tuned with that; a filter brings the threshold down to where it is right.
  private func yieldShare(passing share: Float) -> Float {
    guard share < 1 else { return setting.yieldShare }
    let depth = min(1, log(share) / log(Self.deepShare))
    return setting.yieldShare * pow(0.17, depth)
  }

  private static var deepShare: Float { 0.05 }

  /// The share of good titles that the filter lets pass, as seen so far.
  private var share: Float {
    guard let filter else { return 1 }
    let seen: Float = 64
    return (Float(filter.pointee.passed) + seen * allowedShare) / (Float(filter.pointee.asked) + seen)
  }

  /// Scans one list of one part. False when the deadline has come.
  private mutating func scan(_ list: Int, of part: SearchPart, next: Int) -> Bool {
    let tables = part.tables
    let size = Int(tables.sizes[list])
    let first = tables.slot(list)
    let blockCount = self.blockCount
    var begin = 0
    while begin < size {
      if watch.look() { return false }
      let block = min(blockCount, size - begin)
      let slot = first + begin
      // While the list's first block is scanned, the next list is fetched.
      let (ahead, aheadBytes) = begin == 0 ? following(next, of: tables) : (nil, 0)
      filter?.pointee.ordinals = tables.ordinals + slot
      filter?.pointee.first = part.firstOrdinal
      held += kernels.pointee.scan(
        scratch.codeQuery, tables.code(slot), block, threshold, part.firstSlot + UInt32(slot), filter,
        ahead, aheadBytes, scratch.codeScores + held, scratch.slots + held)
      outcome.scannedCount += block
      watch.count(bytes: block * tables.head)
      if held >= keep * 2 { letGo() }
      begin += block
    }
    return true
  }

  /// Titles in 64 KiB of codes, in whole groups.
  private var blockCount: Int {
    let group = Int(MK_GROUP)
    return max(group, min(SearchScratch.scanCountMax, (64 << 10) / base.head) / group * group)
  }

  private func following(_ place: Int, of tables: IndexTables) -> (UnsafePointer<UInt8>?, Int) {
    guard place < order.count else { return (nil, 0) }
    let list = order.list(at: place)
    if filter != nil { mk_fetch(tables.ordinals + tables.slot(list), Int(tables.sizes[list]) * 4) }
    return (tables.code(tables.slot(list)), (tables.slot(list + 1) - tables.slot(list)) * tables.head)
  }

  // MARK: Candidates

  /// Keeps the best, and raises the threshold to the last of them.
  private mutating func letGo() {
    guard held > keep else { return }
    let tolerance = keep / 16
    held = mk_trim(
      scratch.codeScores, scratch.slots, held, keep, tolerance, Self.lowest, Self.highest, &threshold)
  }

  /// Scores what is left by rows too, and names it by ordinals.
  private mutating func rescore() {
    // Late already: no more are kept than can be returned.
    if watch.isLate { keep = k }
    letGo()
    var done = 0
    for part in parts {
      let end = part.firstSlot + UInt32(part.tables.slotCount)
      var count = 0
      for place in 0..<held where scratch.slots[place] >= part.firstSlot && scratch.slots[place] < end {
        scratch.partSlots[count] = scratch.slots[place] - part.firstSlot
        scratch.partScores[count] = scratch.codeScores[place]
        count += 1
      }
      score(count, of: part, from: done)
      done += count
    }
  }

  /// Scores the first `count` of one part, and puts their keys down from `first` on.
  private mutating func score(_ count: Int, of part: SearchPart, from first: Int) {
    let tables = part.tables
    let block = max(16, DeadlineWatch.bytesBetweenLooks / tables.rowStride)
    var begin = 0
    while begin < count {
      let end = min(count, begin + block)
      if watch.look() {
        // By their codes alone, which is nearly as good.
        for place in begin..<end { scratch.products[place] = Float(scratch.partScores[place]) * unit }
      } else {
        kernels.pointee.refine(
          scratch.rowQuery, tables.rows, tables.rowStride, scratch.partSlots + begin,
          scratch.partScores + begin, end - begin, unit, rowUnit, scratch.products + begin)
        watch.count(bytes: (end - begin) * tables.rowStride)
      }
      begin = end
    }
    for place in 0..<count {
      let ordinal = tables.ordinals[Int(scratch.partSlots[place])]
      scratch.keys[first + place] = mk_key(scratch.products[place], part.firstOrdinal + ordinal)
    }
  }
}

/// A query turned and weighted by the steps of codes and of rows; left in the scratch.
struct QueryWeights {
  let unit: Float
  let rowUnit: Float
  /// The length of the turned query's head in units.
  let length: Float

  init(_ query: UnsafePointer<Float>, tables: IndexTables, scratch: SearchScratch) {
    let (turned, weights) = (scratch.turned, scratch.weights)
    mk_turn(query, tables.rotation, tables.dimensions, turned)
    var square: Float = 0
    for place in 0..<tables.headDimensions {
      weights[place] = turned[place] * tables.steps[place]
      square += turned[place] * turned[place]
    }
    for place in tables.headDimensions..<tables.head { weights[place] = 0 }
    unit = mk_query_prepare(scratch.codeQuery, weights, tables.head)
    for place in 0..<tables.headDimensions { weights[place] *= 1 / 254 }
    for place in tables.headDimensions..<tables.dimensions {
      weights[place] = turned[place] * tables.steps[place]
    }
    rowUnit = mk_query_prepare(scratch.rowQuery, weights, tables.dimensions)
    length = square.squareRoot() / unit
  }
}
