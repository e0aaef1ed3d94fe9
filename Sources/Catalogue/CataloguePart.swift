package import Base

#if canImport(Glibc)
  internal import Glibc
#else
  internal import Darwin
#endif

/// A part of a generation's titles, used in place from one segment: the `base`, or the `tail` that a later publish
/// put behind it.
///
/// Ordinals here are local: 0 is the part's first title. Guard for `@unchecked Sendable`: every pointer is into
/// `segment`, which is kept here and whose bytes never change.
package final class CataloguePart: @unchecked Sendable {
  package static let kind: SegmentTag = "CTLG"
  package static let formatVersion: UInt32 = 2
  package static let genreCountMax = 64
  /// A release day that isn't known.
  static let unknownDay = Int32.min
  static let emptySlot = UInt32.max

  private let segment: Segment
  package let count: Int
  /// A hash over every title's content hash, in order. Binds a ``CatalogueStat`` to its parts.
  package let identity: UInt64
  /// Bit `n` of a genre set is this genre.
  package let genreNames: [String]

  private let ids: TextColumn
  private let names: TextColumn
  private let slots: UnsafeBufferPointer<UInt32>
  /// ``TitleFacts/words`` of each title.
  private let factWords: UnsafeBufferPointer<UInt64>
  let contentHashes: UnsafeBufferPointer<UInt64>
  let licences: LicenceColumn

  /// Checks every bound that reading relies on, in one pass over the offset tables.
  package init(opening mapped: MappedBytes, name: String) throws(Refusal) {
    let segment = try Segment(
      opening: mapped, name: name, kind: Self.kind, formatVersion: Self.formatVersion)
    let meta = try segment.array("META", of: UInt64.self, count: 2)
    guard let count = Int(exactly: meta[0]), count <= Limits.titleCountMax else {
      throw Refusal(.limitExceeded, at: "\(name) section META", "says \(meta[0]) titles")
    }
    self.segment = segment
    self.count = count
    identity = meta[1]
    ids = try TextColumn(segment, offsets: "IDOF", heap: "IDHP", count: count)
    names = try TextColumn(segment, offsets: "NMOF", heap: "NMHP", count: count)
    slots = try segment.array("SLOT", of: UInt32.self)
    guard slots.count.nonzeroBitCount == 1, slots.count > count else {
      throw Refusal(
        .unreadable, at: "\(name) section SLOT", "has \(slots.count) slots, no power of two above \(count)")
    }
    factWords = try segment.array("FACT", of: UInt64.self, count: count * TitleFacts.wordCount)
    contentHashes = try segment.array("HASH", of: UInt64.self, count: count)
    licences = try LicenceColumn(segment, count: count)
    let genreCount = try segment.array("GNOF", of: UInt32.self).count - 1
    guard (0...Self.genreCountMax).contains(genreCount) else {
      throw Refusal(.unreadable, at: "\(name) section GNOF", "says \(genreCount) genres")
    }
    let genres = try TextColumn(segment, offsets: "GNOF", heap: "GNHP", count: genreCount)
    genreNames = (0..<genreCount).map { genres.text($0) }
  }

  package func id(_ ordinal: Int) -> String { ids.text(ordinal) }
  package func name(_ ordinal: Int) -> String { names.text(ordinal) }
  func titleText(_ ordinal: Int) -> TitleText {
    TitleText(id: ids.bytes(ordinal), name: names.bytes(ordinal))
  }
  package func contentHash(_ ordinal: Int) -> UInt64 { contentHashes[ordinal] }

  @inline(__always)
  func facts(_ ordinal: Int) -> TitleFacts {
    precondition(ordinal >= 0 && ordinal < count, "an ordinal of this part")
    guard let words = factWords.baseAddress else { preconditionFailure("a part with titles has facts") }
    return TitleFacts(words + ordinal * TitleFacts.wordCount)
  }

  /// The title's ordinal in this part, by its id's UTF-8 bytes. The hash finds a slot, the id itself decides.
  package func ordinal(ofIDBytes id: UnsafeRawBufferPointer) -> Int? {
    ordinal(ofIDBytes: id, firstSlot: firstSlot(ofIDBytes: id))
  }

  /// Where the search for an id begins, and what stands there: read ahead for many ids, it costs the wait for one.
  func firstSlot(ofIDBytes id: UnsafeRawBufferPointer) -> (slot: Int, ordinal: UInt32) {
    let slot = Int(truncatingIfNeeded: stableHash64(id)) & (slots.count - 1)
    return (slot, slots[slot])
  }

  func ordinal(ofIDBytes id: UnsafeRawBufferPointer, firstSlot: (slot: Int, ordinal: UInt32)) -> Int? {
    var (slot, ordinal) = firstSlot
    // A whole table would be a hostile one: the builder leaves a third empty, so the end is near.
    for _ in 0..<slots.count {
      if ordinal == Self.emptySlot { return nil }
      if Int(ordinal) < count, ids.equals(Int(ordinal), id) { return Int(ordinal) }
      slot = (slot + 1) & (slots.count - 1)
      ordinal = slots[slot]
    }
    return nil
  }

  package func ordinal(ofID id: String) -> Int? {
    var id = id
    return id.withUTF8 { ordinal(ofIDBytes: UnsafeRawBufferPointer($0)) }
  }

  func hasSameGenrePrefix(as base: CataloguePart) -> Bool {
    genreNames.starts(with: base.genreNames)
  }
}

/// Texts of a segment: `count` + 1 ascending offsets and the UTF-8 between them. Lives as long as the segment.
struct TextColumn {
  private let offsets: UnsafeBufferPointer<UInt32>
  private let heap: UnsafeBufferPointer<UInt8>

  init(_ segment: Segment, offsets offsetsTag: SegmentTag, heap heapTag: SegmentTag, count: Int)
    throws(Refusal)
  {
    offsets = try segment.array(offsetsTag, of: UInt32.self, count: count + 1)
    heap = try segment.array(heapTag, of: UInt8.self)
    guard isAscending(offsets), offsets[0] == 0, Int(offsets[count]) == heap.count else {
      throw Refusal(
        .unreadable, at: "\(segment.name) section \(offsetsTag)", "doesn't divide section \(heapTag)")
    }
    try checkText(segment, heapTag)
  }

  /// Texts go out as they lie here, so all of it is UTF-8, and none begins within a character.
  private func checkText(_ segment: Segment, _ tag: SegmentTag) throws(Refusal) {
    let place = "\(segment.name) section \(tag)"
    do { _ = try UTF8Span(validating: heap.span) } catch {
      throw Refusal(.unreadable, at: place, "is not UTF-8 at byte \(error.byteOffsets.lowerBound)")
    }
    for offset in offsets where Int(offset) < heap.count && heap[Int(offset)] & 0xc0 == 0x80 {
      throw Refusal(.unreadable, at: place, "has a text that begins within a character, at byte \(offset)")
    }
  }

  func text(_ index: Int) -> String { String(decoding: bytes(index), as: UTF8.self) }

  func bytes(_ index: Int) -> UnsafeRawBufferPointer {
    UnsafeRawBufferPointer(
      rebasing: UnsafeRawBufferPointer(heap)[Int(offsets[index])..<Int(offsets[index + 1])])
  }

  func equals(_ index: Int, _ other: UnsafeRawBufferPointer) -> Bool {
    let own = bytes(index)
    guard own.count == other.count else { return false }
    guard let left = own.baseAddress, let right = other.baseAddress else { return own.isEmpty }
    return memcmp(left, right, own.count) == 0
  }
}

/// Licence windows by title: three columns in step and where each title's windows begin.
struct LicenceColumn {
  private let offsets: UnsafeBufferPointer<UInt32>
  private let countries: UnsafeBufferPointer<UInt16>
  private let starts: UnsafeBufferPointer<Int64>
  private let ends: UnsafeBufferPointer<Int64>

  init(_ segment: Segment, count: Int) throws(Refusal) {
    offsets = try segment.array("LIOF", of: UInt32.self, count: count + 1)
    countries = try segment.array("LICC", of: UInt16.self)
    starts = try segment.array("LIFR", of: Int64.self, count: countries.count)
    ends = try segment.array("LITO", of: Int64.self, count: countries.count)
    guard isAscending(offsets), offsets[0] == 0, Int(offsets[count]) == countries.count else {
      throw Refusal(.unreadable, at: "\(segment.name) section LIOF", "doesn't divide section LICC")
    }
  }

  /// Whether one window of `country` (or of everywhere) holds all of `from...through`; both in seconds.
  ///
  /// `boundary` is lowered to the first start or end after `from` of any window that could change the answer.
  @inline(__always)
  func covers(_ index: Int, _ country: UInt16, from: Int64, through: Int64, boundary: inout Int64) -> Bool {
    var isCovered = false
    for window in Int(offsets[index])..<Int(offsets[index + 1]) {
      let code = countries[window]
      guard code == country || code == CountryCode.everywhere.word else { continue }
      let start = starts[window]
      let end = ends[window]
      if start <= from {
        if end > through { isCovered = true }
        if end > from { boundary = min(boundary, end) }
      } else {
        boundary = min(boundary, start)
      }
    }
    return isCovered
  }

  func licences(_ index: Int) -> [Licence] {
    (Int(offsets[index])..<Int(offsets[index + 1])).map {
      Licence(country: CountryCode(word: countries[$0]), fromSeconds: starts[$0], toSeconds: ends[$0])
    }
  }
}

func isAscending(_ offsets: UnsafeBufferPointer<UInt32>) -> Bool {
  guard var last = offsets.first else { return false }
  var isAscending = true
  // Without an early exit, so that the loop becomes wide instructions.
  for offset in offsets {
    isAscending = isAscending && last <= offset
    last = offset
  }
  return isAscending
}
