package import Base
internal import CKernels

/// One part's index segment, used in place: titles in lists around centroids, a row of bytes for each, and for a base
/// codes of 4 bits of what lies between a title and its centroid. `docs/retrieval.md` says what they are for.
///
///     HEAD  u32 × 16: dimensions, bytes a row, titles, lists, pairs of codes, turned dimensions, tuned reach (f32), kept
///           and whether to refine, lists' digest (2 words), weight of lists' spread (f32), lists that the tuned effort
///           takes, what filters add to its reach (f32 × 2, ``FilterLaw``), a step of blocks' rows (f32)
///     OFFS  u32: lists + 1 places in what follows        ORDN  u32: the ordinal of each place
///     ROWS  u8: its row, biased by 128, 64-byte aligned   STEP  u8: which of 256 steps the row counts in
///     STPS  f32 × 256: the steps, rising
///
/// A base has these too, and a tail, with no pairs and the digest of its base's lists, doesn't:
///
///     CENT  f32: a centroid for each list    CEN8  u8: the same as rows    CSCL  f32: their scales
///     SPRD  f32: how far a list's titles lie from its centroid (root mean square)
///     TURN  f32: a row of `dimensions` for each turned dimension
///     WIDE  u16: turned dimensions of each code           BOOK  f32: for each turned dimension 16 codewords' values
///     CODE  u8: blocks of 64 titles, list by list; for each pair 64 bytes, the first code in the lower half
///     BMID  u8: for each block a row, biased by 128 and filled up to a multiple of 4: where its titles lie from the list's
///           centroid, in turned dimensions. Of a list the first 4 bytes of all blocks, then the second 4, and so on. Codes
///           tell what lies between there and a title
///     BSPR  f32: how far a block's titles lie from there (root mean square)
///     TUNE  f32: recall@500, reach, kept, whether refined, lists, as measured at build
///
/// Guard for `@unchecked Sendable`: the pointers lead into the segment's mapping, which is kept and never changes.
package struct VectorIndex: @unchecked Sendable {
  package static let kind: SegmentTag = "IVQ4"
  package static let formatVersion: UInt32 = 5

  package let name: String
  package let count: Int
  package let dimensions: Int
  package let listCount: Int
  /// What a search does unless it says otherwise.
  package let effort: SearchEffort
  /// How much of a list's spread counts where lists are ranked, for a query of unit length.
  package internal(set) var spreadWeight: Float
  var filterLaw: FilterLaw
  let rowStride: Int
  let digest: UInt64
  let offsets: UnsafeBufferPointer<UInt32>
  let ordinals: UnsafeBufferPointer<UInt32>
  let rows: UnsafeBufferPointer<UInt8>
  let step: UnsafeBufferPointer<UInt8>
  let steps: UnsafeBufferPointer<Float>
  /// Of a base.
  let coded: CodedLists?
  private let segment: Segment

  /// Checks every bound that search relies on: one pass over offsets, ordinals and the small tables, none over the rows
  /// and codes.
  package init(opening mapped: MappedBytes, name: String) throws(Refusal) {
    segment = try Segment(opening: mapped, name: name, kind: Self.kind, formatVersion: Self.formatVersion)
    self.name = name
    let head = IndexHead(try segment.array("HEAD", of: UInt32.self, count: IndexHead.wordCount))
    try head.check(name)
    dimensions = head.dimensions
    rowStride = head.rowStride
    count = head.titleCount
    listCount = head.listCount
    digest = head.digest
    spreadWeight = head.spreadWeight
    filterLaw = head.filterLaw
    effort = head.effort
    offsets = try segment.array("OFFS", of: UInt32.self, count: listCount + 1)
    ordinals = try segment.array("ORDN", of: UInt32.self, count: count)
    rows = try segment.array("ROWS", of: UInt8.self, count: count * rowStride)
    step = try segment.array("STEP", of: UInt8.self, count: count)
    steps = try segment.array("STPS", of: Float.self, count: 256)
    try Self.checkOffsets(offsets, count: count, name: name)
    try checkFactors(steps, at: "\(name) section STPS")
    try Self.checkOrdinals(ordinals, name: name)
    coded = head.pairCount > 0 ? try CodedLists(segment, head: head, offsets: offsets) : nil
  }

  /// 16 million titles make 8,000 lists by the rule; eight times that fit.
  package static let listCountMax = 65_536

  /// Bytes in a row: whole cache lines.
  static func rowStride(dimensions: Int) -> Int { (dimensions + 63) / 64 * 64 }

  /// A copy of a base's centroids, to build another part around.
  package var centroids: Centroids? {
    coded.map { Centroids(Array($0.centroidValues), dimensions: dimensions) }
  }

  /// What the build measured on a base, rising in recall and cost.
  package var recallCurve: [EffortPoint] { coded?.curve ?? [] }

  /// The cheapest effort that reached `recall` at build; the dearest if none did.
  package func effort(recall: Float) -> SearchEffort? { recallCurve.effort(recall: recall) }

  private static func checkOffsets(
    _ offsets: UnsafeBufferPointer<UInt32>, count: Int, name: String
  ) throws(Refusal) {
    let lists = offsets.count - 1
    guard offsets[0] == 0, Int(offsets[lists]) == count else {
      throw Refusal(.unreadable, at: "\(name) section OFFS", "does not span the \(count) titles")
    }
    for list in 0..<lists where offsets[list] > offsets[list + 1] {
      throw Refusal(.unreadable, at: "\(name) section OFFS list \(list)", "ends before it begins")
    }
  }

  /// Each ordinal must be there once: a search would return a title twice, or never.
  private static func checkOrdinals(
    _ ordinals: UnsafeBufferPointer<UInt32>, name: String
  ) throws(Refusal) {
    let count = ordinals.count
    var seen = [UInt64](repeating: 0, count: (count + 63) / 64)
    let bad: Int? = seen.withUnsafeMutableBufferPointer { seen in
      for place in 0..<count {
        let ordinal = Int(ordinals[place])
        guard ordinal < count, seen[ordinal >> 6] >> UInt64(ordinal & 63) & 1 == 0 else { return place }
        seen[ordinal >> 6] |= 1 << UInt64(ordinal & 63)
      }
      return nil
    }
    if let bad {
      throw Refusal(
        .unreadable, at: "\(name) section ORDN place \(bad)",
        "ordinal \(ordinals[bad]) of \(count) is out of bounds or there twice")
    }
  }
}

/// Scales and steps are not below zero, and not so large that sums of products could be infinite.
func checkFactors(_ values: UnsafeBufferPointer<Float>, at place: String) throws(Refusal) {
  var good = true
  for value in values where !(value >= 0 && value < 1e9) { good = false }
  guard good else { throw Refusal(.unreadable, at: place, "has a scale that is no finite positive number") }
}

/// So small that sums of products are finite.
func checkReach(_ values: UnsafeBufferPointer<Float>, at place: String) throws(Refusal) {
  var good = true
  for value in values where !(abs(value) < 1e9) { good = false }
  guard good else {
    throw Refusal(.unreadable, at: place, "has a value that is not finite, or beyond all measure")
  }
}
