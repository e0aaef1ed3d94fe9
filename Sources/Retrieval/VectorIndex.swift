package import Base
internal import CKernels

/// One part's index segment: titles in lists around centroids, as int8 rows, used in place.
///
/// A row is a unit vector divided by its scale, rounded and biased by 128, so that the product of a row and a query of
/// signed bytes is one VNNI instruction for 64 of them.
///
///     HEAD  u32 × 8: dimensions, bytes a row, titles, lists, probes, 0, 0, 0
///     CENT  f32: a centroid for each list                 CEN8  u8: the same as rows     CSCL  f32: their scales
///     OFFS  u32: lists + 1 places in what follows
///     ORDN  u32: the ordinal of each place                ROWS  u8: its row, 64-byte aligned    SCAL  f32: its scale
///     CURV  f32: pairs of probes and the recall@500 measured with them at build
///
/// Guard for `@unchecked Sendable`: the pointers lead into the segment's mapping, which is kept and never changes.
package struct VectorIndex: @unchecked Sendable {
  package static let kind: SegmentTag = "IVF8"
  package static let formatVersion: UInt32 = 1

  package let name: String
  package let count: Int
  package let dimensions: Int
  package let listCount: Int
  /// Lists that a search looks into unless it says otherwise.
  package let probes: Int
  let rowStride: Int
  let centroidRows: UnsafeBufferPointer<UInt8>
  let centroidScales: UnsafeBufferPointer<Float>
  let offsets: UnsafeBufferPointer<UInt32>
  let ordinals: UnsafeBufferPointer<UInt32>
  let rows: UnsafeBufferPointer<UInt8>
  let scales: UnsafeBufferPointer<Float>
  private let centroidValues: UnsafeBufferPointer<Float>
  private let curve: UnsafeBufferPointer<Float>
  private let segment: Segment

  /// Checks every bound that search relies on: one pass over offsets, ordinals and scales, none over the rows.
  package init(opening mapped: MappedBytes, name: String) throws(Refusal) {
    segment = try Segment(opening: mapped, name: name, kind: Self.kind, formatVersion: Self.formatVersion)
    self.name = name
    let head = try segment.array("HEAD", of: UInt32.self, count: 8)
    let place = "\(name) section HEAD"
    dimensions = Int(head[0])
    rowStride = Int(head[1])
    count = Int(head[2])
    listCount = Int(head[3])
    probes = Int(head[4])
    guard (1...Limits.dimensionsMax).contains(dimensions), count <= Limits.titleCountMax,
      listCount <= Self.listCountMax
    else {
      throw Refusal(
        .limitExceeded, at: place, "has \(dimensions) dimensions, \(count) titles, \(listCount) lists")
    }
    guard rowStride == Self.rowStride(dimensions: dimensions), listCount > 0, (1...listCount).contains(probes)
    else {
      throw Refusal(
        .unreadable, at: place, "has rows of \(rowStride) bytes, \(listCount) lists and \(probes) probes")
    }
    centroidValues = try segment.array("CENT", of: Float.self, count: listCount * dimensions)
    centroidRows = try segment.array("CEN8", of: UInt8.self, count: listCount * rowStride)
    centroidScales = try segment.array("CSCL", of: Float.self, count: listCount)
    offsets = try segment.array("OFFS", of: UInt32.self, count: listCount + 1)
    ordinals = try segment.array("ORDN", of: UInt32.self, count: count)
    rows = try segment.array("ROWS", of: UInt8.self, count: count * rowStride)
    scales = try segment.array("SCAL", of: Float.self, count: count)
    curve = try segment.array("CURV", of: Float.self)
    try checkFinite(centroidValues, at: "CENT")
    try checkScales(centroidScales, at: "CSCL")
    try checkOffsets()
    try checkScales(scales, at: "SCAL")
    try checkOrdinals()
  }

  /// 16 million titles make 8,000 lists by the rule; eight times that fit.
  package static let listCountMax = 65_536

  /// Bytes in a row: whole cache lines.
  static func rowStride(dimensions: Int) -> Int { (dimensions + 63) / 64 * 64 }

  /// A copy of the centroids, to build another part around.
  package var centroids: Centroids { Centroids(Array(centroidValues), dimensions: dimensions) }

  /// What the build measured: recall@500 when so many lists are probed, rising.
  package var recallCurve: [(probes: Int, recall: Float)] {
    stride(from: 0, to: curve.count - 1, by: 2).map {
      (Int(exactly: curve[$0].rounded()) ?? 0, curve[$0 + 1])
    }
  }

  /// Whether the other's lists lie around the same centroids, so that they are ranked once for both.
  func sharesCentroids(with other: VectorIndex) -> Bool {
    dimensions == other.dimensions && listCount == other.listCount
      && centroidScales.elementsEqual(other.centroidScales)
      && centroidRows.elementsEqual(other.centroidRows)
  }

  private func checkOffsets() throws(Refusal) {
    guard offsets[0] == 0, Int(offsets[listCount]) == count else {
      throw Refusal(.unreadable, at: "\(name) section OFFS", "does not span the \(count) titles")
    }
    for list in 0..<listCount where offsets[list] > offsets[list + 1] {
      throw Refusal(.unreadable, at: "\(name) section OFFS list \(list)", "ends before it begins")
    }
  }

  /// Each ordinal must be there once: a search would return a title twice, or never.
  private func checkOrdinals() throws(Refusal) {
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

  private func checkScales(_ values: UnsafeBufferPointer<Float>, at section: String) throws(Refusal) {
    var good = true
    for value in values where !(value >= 0 && value < .infinity) { good = false }
    guard good else {
      throw Refusal(
        .unreadable, at: "\(name) section \(section)", "has a scale that is no finite positive number")
    }
  }

  private func checkFinite(_ values: UnsafeBufferPointer<Float>, at section: String) throws(Refusal) {
    var good = true
    for value in values where !(abs(value) < .infinity) { good = false }
    guard good else {
      throw Refusal(.unreadable, at: "\(name) section \(section)", "has a value that is not finite")
    }
  }
}
