package import Base

/// What changes with every publish, 4.2 bytes a title, used in place from one segment: which ordinals are live, how
/// popular and how trending each is.
///
/// Guard for `@unchecked Sendable`: every pointer is into `segment`, which is kept here and whose bytes never change.
package final class CatalogueStat: @unchecked Sendable {
  package static let kind: SegmentTag = "STAT"
  package static let formatVersion: UInt32 = 2

  let segment: Segment
  let baseCount: Int
  let tailCount: Int
  let baseIdentity: UInt64
  let tailIdentity: UInt64
  /// Bit `ordinal % 64` of word `ordinal / 64`; bits past the count are clear.
  let live: UnsafeBufferPointer<UInt64>
  let liveCount: Int
  private let scores: UnsafeBufferPointer<Scores>

  package init(opening mapped: MappedBytes, name: String) throws(Refusal) {
    segment = try Segment(opening: mapped, name: name, kind: Self.kind, formatVersion: Self.formatVersion)
    let meta = try segment.array("META", of: UInt64.self, count: 4)
    guard let baseCount = Int(exactly: meta[0]), let tailCount = Int(exactly: meta[1]),
      baseCount <= Limits.titleCountMax, tailCount <= Limits.titleCountMax - baseCount
    else {
      throw Refusal(.limitExceeded, at: "\(name) section META", "says \(meta[0]) and \(meta[1]) titles")
    }
    self.baseCount = baseCount
    self.tailCount = tailCount
    baseIdentity = meta[2]
    tailIdentity = meta[3]
    let count = baseCount + tailCount
    live = try segment.array("LIVE", of: UInt64.self, count: (count + 63) / 64)
    scores = try segment.array("SCOR", of: Scores.self, count: count)
    if count % 64 != 0, let last = live.last, last >> UInt64(count % 64) != 0 {
      throw Refusal(.unreadable, at: "\(name) section LIVE", "has live titles past the last one")
    }
    liveCount = live.reduce(0) { $0 + $1.nonzeroBitCount }
  }

  /// How popular and how trending a title is, read together.
  struct Scores: BitwiseCopyable {
    /// Popularity below, trending above it: 0 to 65,535 for 0 to 1.
    private let bits: UInt32

    init(popularity: Float, trending: Float) {
      bits = UInt32(Self.quantised(popularity)) | UInt32(Self.quantised(trending)) << 16
    }

    var popularity: UInt16 { UInt16(truncatingIfNeeded: bits) }
    var trending: UInt16 { UInt16(truncatingIfNeeded: bits >> 16) }

    private static func quantised(_ score: Float) -> UInt16 {
      UInt16((min(max(score, 0), 1) * 65_535).rounded())
    }
  }

  @inline(__always)
  func scores(_ ordinal: Int) -> Scores { scores[ordinal] }

  /// Writes the segment. `live` and `scores` have one entry an ordinal of both parts.
  package static func write(
    to path: String, base: CataloguePart, tail: CataloguePart?, live: Bitmap, scores: TitleScores
  ) throws(DiskFault) {
    let count = base.count + (tail?.count ?? 0)
    precondition(live.count == count && scores.popularity.count == count && scores.trending.count == count)
    let writer = try SegmentWriter(path: path, kind: kind, formatVersion: formatVersion)
    try writer.add(
      "META", [UInt64(base.count), UInt64(tail?.count ?? 0), base.identity, tail?.identity ?? 0])
    try writer.add("LIVE", live.words)
    try writer.add(
      "SCOR", zip(scores.popularity, scores.trending).map { Scores(popularity: $0, trending: $1) })
    try writer.finish()
  }
}
