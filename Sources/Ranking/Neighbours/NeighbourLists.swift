package import Base
internal import CKernels

/// Lists of neighbours with how alike each is, in place from the sections of a segment.
///
///     OFFS  u32: where each list begins, and the end
///     ORDS  u32: the neighbours' ordinals, the most alike first
///     WGTS  u16: how alike, in parts of 65,535 of the list's scale
///     SCAL  f32: each list's scale, how alike its first neighbour is
///
/// Guard for `@unchecked Sendable`: the pointers lead into bytes that are kept and never change.
package struct NeighbourLists: @unchecked Sendable {
  package static let neighbourCountMax = 64
  static let weightScale: Float = 65_535

  package let count: Int
  let offsets: UnsafeBufferPointer<UInt32>
  let ordinals: UnsafeBufferPointer<UInt32>
  let weights: UnsafeBufferPointer<UInt16>
  let scales: UnsafeBufferPointer<Float>
  private let owner: MappedBytes

  /// Checks where every list lies. Ordinals are checked when they are read: a million titles have sixty million.
  init(in segment: Segment, count: Int) throws(Refusal) {
    self.count = count
    offsets = try segment.array("OFFS", of: UInt32.self, count: count + 1)
    ordinals = try segment.array("ORDS", of: UInt32.self)
    weights = try segment.array("WGTS", of: UInt16.self, count: ordinals.count)
    scales = try segment.array("SCAL", of: Float.self, count: count)
    owner = segment.mapped
    guard scales.allSatisfy({ $0 >= 0 && $0 <= 1 }) else {
      throw Refusal(.unreadable, at: "\(segment.name) section SCAL", "has a scale that is not 0 to 1")
    }
    guard offsets[0] == 0, Int(offsets[count]) == ordinals.count else {
      throw Refusal(
        .unreadable, at: "\(segment.name) section OFFS", "does not span the \(ordinals.count) neighbours")
    }
    for list in 0..<count
    where offsets[list] > offsets[list + 1]
      || Int(offsets[list + 1] - offsets[list]) > Self.neighbourCountMax
    {
      throw Refusal(.unreadable, at: "\(segment.name) section OFFS", "has no list for title \(list)")
    }
  }

  @inline(__always)
  func range(of list: Int) -> Range<Int> { Int(offsets[list])..<Int(offsets[list + 1]) }

  @inline(__always)
  func fetch(_ list: Int) {
    let range = range(of: list)
    guard !range.isEmpty, let ordinals = ordinals.baseAddress, let weights = weights.baseAddress,
      let scales = scales.baseAddress
    else { return }
    mk_fetch_bytes(ordinals + range.lowerBound, range.count * 4)
    mk_fetch_bytes(weights + range.lowerBound, range.count * 2)
    mk_fetch_bytes(scales + list, 4)
  }

  /// Ordinals as they are written: not yet held to any number of titles.
  @inline(__always)
  func forEach(in list: Int, _ body: (UInt32, Float) -> Void) {
    let scale = scales[list] / Self.weightScale
    for place in range(of: list) { body(ordinals[place], Float(weights[place]) * scale) }
  }
}

/// The lists of all titles of a base, one a title.
package enum NeighbourBase {
  package static let kind: SegmentTag = "NBRS"
  package static let formatVersion: UInt32 = 1

  ///     HEAD  u32 × 4: titles, 0, 0, 0, and the sections of ``NeighbourLists``
  package static func open(_ mapped: MappedBytes, name: String) throws(Refusal) -> NeighbourLists {
    let segment = try Segment(opening: mapped, name: name, kind: kind, formatVersion: formatVersion)
    let titleCount = Int(try segment.array("HEAD", of: UInt32.self, count: 4)[0])
    guard titleCount <= Limits.titleCountMax else {
      throw Refusal(.limitExceeded, at: "\(name) section HEAD", "has \(titleCount) titles")
    }
    return try NeighbourLists(in: segment, count: titleCount)
  }
}
