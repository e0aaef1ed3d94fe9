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
package struct NeighbourTail: @unchecked Sendable {
  package static let kind: SegmentTag = "NBRT"
  package static let formatVersion: UInt32 = 1
  package static let none: UInt32 = .max

  package let baseCount: Int
  package let tailCount: Int
  package let lists: NeighbourLists
  private let origins: UnsafeBufferPointer<UInt32>
  private let moved: UnsafeBufferPointer<UInt32>
  private let destinations: UnsafeBufferPointer<UInt32>
  private let titles: UnsafeBufferPointer<UInt32>
  /// A bit for each title of the base, so that most answers cost one look. 125 KB of each at a million titles.
  private let movedBits: [UInt64]
  private let listedBits: [UInt64]

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
    moved = try segment.array("MOVB", of: UInt32.self)
    destinations = try segment.array("MOVT", of: UInt32.self, count: moved.count)
    titles = try segment.array("TITL", of: UInt32.self)
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
    movedBits = Self.bits(moved, count: baseCount)
    listedBits = Self.bits(titles, count: baseCount)
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
    guard Int(kept) < baseCount, Self.has(movedBits, kept) else { return kept }
    return Self.place(of: kept, in: moved).map { destinations[$0] } ?? kept
  }

  /// Which of ``lists`` is a title's, by its kept ordinal.
  @inline(__always)
  func list(of kept: UInt32) -> Int? {
    guard Int(kept) >= baseCount || Self.has(listedBits, kept) else { return nil }
    return Self.place(of: kept, in: titles)
  }

  @inline(__always)
  private static func has(_ bits: [UInt64], _ ordinal: UInt32) -> Bool {
    bits[Int(ordinal >> 6)] >> UInt64(ordinal & 63) & 1 != 0
  }

  private static func place(of ordinal: UInt32, in sorted: UnsafeBufferPointer<UInt32>) -> Int? {
    var (low, high) = (0, sorted.count)
    while low < high {
      let middle = (low + high) / 2
      if sorted[middle] < ordinal { low = middle + 1 } else { high = middle }
    }
    return low < sorted.count && sorted[low] == ordinal ? low : nil
  }

  private static func isAscending(_ ordinals: UnsafeBufferPointer<UInt32>, below end: UInt32) -> Bool {
    ordinals.allSatisfy { $0 < end } && zip(ordinals, ordinals.dropFirst()).allSatisfy { $0 < $1 }
  }

  private static func bits(_ ordinals: UnsafeBufferPointer<UInt32>, count: Int) -> [UInt64] {
    var bits = [UInt64](repeating: 0, count: (count + 63) / 64)
    for ordinal in ordinals where Int(ordinal) < count {
      bits[Int(ordinal >> 6)] |= 1 << UInt64(ordinal & 63)
    }
    return bits
  }
}
