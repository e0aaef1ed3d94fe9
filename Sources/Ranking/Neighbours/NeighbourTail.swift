package import Base

/// What has become of a base's lists of neighbours: which titles moved, and the lists that are other ones now; in place
/// from its segment.
///
/// A title that moved from the base into the tail keeps its list, and its place in the lists of others, by the ordinal
/// that it had in the base: so a change of titles changes no list. Lists name titles by these *kept* ordinals.
///
///     HEAD  u32 × 4: titles of the base, of the tail, 0, 0
///     ORIG  u32: of each title of the tail its ordinal in the base, or 0xffffffff if it is new
///     MOVB  u32: ordinals of the base that moved or went, ascending
///     MOVT  u32: where to, or 0xffffffff
///     TITL  u32: kept ordinals of the titles whose lists follow, ascending, and the sections of ``NeighbourLists``
///
/// Guard for `@unchecked Sendable`: the pointers lead into bytes that are kept and never change.
package final class NeighbourTail: @unchecked Sendable {
  package static let kind: SegmentTag = "NBRT"
  package static let formatVersion: UInt32 = 1
  package static let none: UInt32 = .max

  package let baseCount: Int
  package let tailCount: Int
  package let lists: NeighbourLists
  private let origins: UnsafeBufferPointer<UInt32>
  private let destinations: UnsafeBufferPointer<UInt32>
  private let movedPlaces: OrdinalPlaces
  private let listedPlaces: OrdinalPlaces

  package init(opening mapped: MappedBytes, name: String) throws(Refusal) {
    let segment = try Segment(
      opening: mapped, name: name, kind: Self.kind, formatVersion: Self.formatVersion)
    let head = try segment.array("HEAD", of: UInt32.self, count: 4)
    (baseCount, tailCount) = (Int(head[0]), Int(head[1]))
    let titleCount = baseCount + tailCount
    guard titleCount <= Limits.titleCountMax else {
      throw Refusal(.limitExceeded, at: "\(name) section HEAD", "has \(titleCount) titles")
    }
    origins = try segment.array("ORIG", of: UInt32.self, count: tailCount)
    let moved = try segment.array("MOVB", of: UInt32.self)
    destinations = try segment.array("MOVT", of: UInt32.self, count: moved.count)
    let titles = try segment.array("TITL", of: UInt32.self)
    lists = try NeighbourLists(in: segment, count: titles.count)
    let base = UInt32(baseCount)
    guard origins.allSatisfy({ $0 == Self.none || $0 < base }) else {
      throw Refusal(.unreadable, at: "\(name) section ORIG", "names a title that the base doesn't have")
    }
    guard Self.isAscending(moved, below: base) else {
      throw Refusal(.unreadable, at: "\(name) section MOVB", "is not in order, or beyond the base")
    }
    guard destinations.allSatisfy({ $0 == Self.none || ($0 >= base && $0 < titleCount) }) else {
      throw Refusal(.unreadable, at: "\(name) section MOVT", "names a title that the tail doesn't have")
    }
    guard Self.isAscending(titles, below: UInt32(titleCount)) else {
      throw Refusal(.unreadable, at: "\(name) section TITL", "is not in order, or beyond the titles")
    }
    movedPlaces = OrdinalPlaces(moved, end: baseCount)
    listedPlaces = OrdinalPlaces(titles, end: titleCount)
  }

  /// The ordinal by which lists name a title.
  @inline(__always)
  func kept(_ title: UInt32) -> UInt32 {
    guard Int(title) >= baseCount, Int(title) < baseCount + tailCount else { return title }
    let origin = origins[Int(title) - baseCount]
    return origin == Self.none ? title : origin
  }

  /// The ordinal of today for one that a list names, or ``none``.
  @inline(__always)
  func current(_ kept: UInt32) -> UInt32 {
    guard let place = movedPlaces.place(of: kept) else { return kept }
    return destinations[place]
  }

  /// Which of ``lists`` is a title's, by its kept ordinal.
  @inline(__always)
  func list(of kept: UInt32) -> Int? { listedPlaces.place(of: kept) }

  private static func isAscending(_ ordinals: UnsafeBufferPointer<UInt32>, below end: UInt32) -> Bool {
    ordinals.allSatisfy { $0 < end } && zip(ordinals, ordinals.dropFirst()).allSatisfy { $0 < $1 }
  }
}
