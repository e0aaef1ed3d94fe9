package import Base
internal import CKernels

/// One part's index segment: titles in lists around centroids, as codes and rows of bytes, used in place.
///
/// Vectors are turned first, so that their first coordinates, the head, say most of what tells them apart. A title's
/// code is its head in whole steps, a byte a coordinate; its row is what is left of the head in 254ths of a step, and
/// the other coordinates in steps. A search scans codes and scores the best again by their rows: the two together are
/// about as exact as the embeddings. Steps are those of the whole part, so that scores of all lists compare as integers.
///
///     HEAD  u32 × 16: dimensions, head, bytes a row, titles, lists, groups, 0 …
///     AXES  f32: the rotation, in panels of 16 axes            STEP  f32: a step of each turned coordinate
///     CENT  f32: the head of a centroid for each list          CCOD  u8: the same as codes, in groups
///     RADI  f32: root mean square distance of a list's titles from its centroid, a dimension
///     SIZE  u32: titles in each list                           OFFS  u32: its first group, and the end of the last
///     ORDN  u32: the ordinal of each slot                      CODE  u8: groups of 16 titles      ROWS  u8: a row a slot
///     CURV  f32 × 7: k, target, yield share, re-scoring share, recall, lists, titles (see ``RecallPoint``)
///     GOAL  f32: the recall that searches aim for
///
/// Guard for `@unchecked Sendable`: the pointers lead into the segment's mapping, which is kept and never changes.
package struct VectorIndex: @unchecked Sendable {
  package static let kind: SegmentTag = "IVF8"
  package static let formatVersion: UInt32 = 2

  package let name: String
  package let curve: RecallCurve
  let tables: IndexTables
  private let centroidValues: UnsafeBufferPointer<Float>
  private let segment: Segment

  package var count: Int { tables.count }
  package var dimensions: Int { tables.dimensions }
  package var listCount: Int { tables.listCount }
  /// Lists that a search for 500 titles looked into at build, in the mean.
  package var probes: Int { Self.probes(curve, listCount: listCount) }

  /// Checks every bound that search relies on: one pass over offsets, ordinals and scales, none over codes and rows.
  package init(opening mapped: MappedBytes, name: String) throws(Refusal) {
    let segment = try Segment(
      opening: mapped, name: name, kind: Self.kind, formatVersion: Self.formatVersion)
    self.segment = segment
    self.name = name
    let head = try segment.array("HEAD", of: UInt32.self, count: 16)
    let shape = try Shape(head: head, at: "\(name) section HEAD")
    let (dimensions, listCount, groupCount) = (shape.dimensions, shape.listCount, shape.groupCount)
    let slotCount = groupCount * Int(MK_GROUP)
    let axes = try segment.array(
      "AXES", of: Float.self, count: Rotation.panelled(dimensions) * dimensions)
    let steps = try segment.array("STEP", of: Float.self, count: dimensions)
    centroidValues = try segment.array(
      "CENT", of: Float.self, count: listCount * min(shape.head, dimensions))
    let centroidGroups = (listCount + Int(MK_GROUP) - 1) / Int(MK_GROUP)
    let centroids = try segment.array(
      "CCOD", of: UInt8.self, count: centroidGroups * Int(MK_GROUP) * shape.head)
    let radii = try segment.array("RADI", of: Float.self, count: listCount)
    let sizes = try segment.array("SIZE", of: UInt32.self, count: listCount)
    let offsets = try segment.array("OFFS", of: UInt32.self, count: listCount + 1)
    let ordinals = try segment.array("ORDN", of: UInt32.self, count: slotCount)
    let codes = try segment.array("CODE", of: UInt8.self, count: slotCount * shape.head)
    let rows = try segment.array("ROWS", of: UInt8.self, count: slotCount * shape.rowStride)
    let points = try segment.array("CURV", of: Float.self)
    let goal = try segment.array("GOAL", of: Float.self, count: 1)
    let check = SegmentCheck(name: name)
    try check.finite(axes, "AXES")
    try check.positive(steps, "STEP")
    try check.finite(centroidValues, "CENT")
    try check.positive(radii, "RADI")
    try check.lists(sizes: sizes, offsets: offsets, shape: shape)
    try check.ordinals(ordinals, sizes: sizes, offsets: offsets, count: shape.count)
    curve = try check.curve(points, goal: goal)
    // A part without titles has no groups; nothing is then read through these.
    let none = UnsafePointer<UInt8>(segment.mapped.bytes.baseAddress?.assumingMemoryBound(to: UInt8.self))
    guard let rotation = axes.baseAddress, let step = steps.baseAddress, let cents = centroids.baseAddress,
      let offset = offsets.baseAddress, let size = sizes.baseAddress, let radius = radii.baseAddress,
      let none
    else { throw Refusal(.unreadable, at: "\(name) section HEAD", "has nothing to search") }
    tables = IndexTables(
      dimensions: dimensions, head: shape.head, rowStride: shape.rowStride, count: shape.count,
      listCount: listCount, groupCount: groupCount, rotation: rotation, steps: step, centroids: cents,
      offsets: offset, sizes: size, radii: radius, codes: codes.baseAddress ?? none,
      rows: rows.baseAddress ?? none,
      ordinals: ordinals.baseAddress ?? UnsafeRawPointer(none).assumingMemoryBound(to: UInt32.self))
  }

  /// 16 million titles make 16,000 lists by the rule; four times that fit.
  package static let listCountMax = 65_536

  /// Bytes in a row: whole cache lines.
  static func rowStride(dimensions: Int) -> Int { (dimensions + 63) / 64 * 64 }

  /// The dimensions of a code that has `wanted`, or what may be.
  static func headCount(_ wanted: Int, dimensions: Int) -> Int {
    min((max(wanted, 1) + 3) / 4 * 4, (dimensions + 3) / 4 * 4, Int(MK_CODE_MAX))
  }

  static func probes(_ curve: RecallCurve, listCount: Int) -> Int {
    let mean = curve.tuned.map { $0.lists.rounded(.up) } ?? 0
    return max(1, min(listCount, Int(min(max(mean, 0), 1e6))))
  }

  /// A copy of the centroids, to build another part around.
  package var centroids: Centroids { Centroids(Array(centroidValues), dimensions: tables.headDimensions) }

  /// Copies of what another part must share.
  var rotation: Rotation {
    let count = Rotation.panelled(dimensions) * dimensions
    return Rotation(
      panels: Array(UnsafeBufferPointer(start: tables.rotation, count: count)), dimensions: dimensions)
  }
  var steps: [Float] { Array(UnsafeBufferPointer(start: tables.steps, count: dimensions)) }
  var radii: [Float] { Array(UnsafeBufferPointer(start: tables.radii, count: listCount)) }

  /// Whether the other's lists lie around the same centroids, so that they are ranked once for both, and its scores
  /// are in the same steps.
  func sharesCentroids(with other: VectorIndex) -> Bool {
    let (mine, its) = (tables, other.tables)
    guard mine.dimensions == its.dimensions, mine.head == its.head, mine.listCount == its.listCount else {
      return false
    }
    let axes = Rotation.panelled(dimensions) * dimensions
    return centroidValues.elementsEqual(other.centroidValues)
      && UnsafeBufferPointer(start: mine.steps, count: dimensions).elementsEqual(other.steps)
      && UnsafeBufferPointer(start: mine.rotation, count: axes)
        .elementsEqual(UnsafeBufferPointer(start: its.rotation, count: axes))
  }
}
