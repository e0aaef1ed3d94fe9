/// One segment of a snapshot: named sections in one block of bytes, used in place.
///
/// Little-endian. A header of 64 bytes, a table of sections of 32 bytes each, then the sections, each aligned to 64
/// bytes. Opening checks the header and every bound; nothing is parsed or copied.
///
///     header   0  magic "MARQSEG1"    8  kind, 4 ASCII    12  format version (u32)   16  bytes of the whole (u64)
///             24  sections (u32)     28  zeros
///     section  0  name, 4 ASCII       4  element bytes (u32)   8  offset (u64)   16  bytes (u64)   24  elements (u64)
package struct Segment: Sendable {
  package static let magic: [UInt8] = Array("MARQSEG1".utf8)
  package static let headerByteCount = 64
  package static let entryByteCount = 32
  package static let sectionCountMax = 62
  package static let alignment = 64

  package let kind: SegmentTag
  package let formatVersion: UInt32
  package let name: String
  package let mapped: MappedBytes
  private let entries: [Entry]

  private struct Entry: Sendable {
    var tag: SegmentTag
    var elementByteCount: Int
    var range: Range<Int>
    var count: Int
  }

  /// `name` is how refusals call the segment.
  package init(opening mapped: MappedBytes, name: String, kind: SegmentTag, formatVersion: UInt32)
    throws(Refusal)
  {
    self.mapped = mapped
    self.name = name
    self.kind = kind
    self.formatVersion = formatVersion
    let bytes = mapped.bytes
    guard bytes.count >= Self.headerByteCount else {
      throw Refusal(.truncated, at: name, "has \(bytes.count) bytes, less than a header")
    }
    guard bytes.prefix(8).elementsEqual(Self.magic) else {
      throw Refusal(.unreadable, at: "\(name) offset 0", "is not a segment")
    }
    guard bytes.word(at: 8) == kind.word else {
      throw Refusal(.unreadable, at: "\(name) offset 8", "is of another kind than \(kind)")
    }
    guard bytes.word(at: 12) == formatVersion else {
      throw Refusal(
        .unreadable, at: "\(name) offset 12",
        "has format \(bytes.word(at: 12)), this reader knows \(formatVersion)")
    }
    guard bytes.longWord(at: 16) == UInt64(bytes.count) else {
      throw Refusal(
        .truncated, at: "\(name) offset 16", "says \(bytes.longWord(at: 16)) bytes and has \(bytes.count)")
    }
    let count = Int(bytes.word(at: 24))
    let tableEnd = Self.headerByteCount + count * Self.entryByteCount
    guard count <= Self.sectionCountMax, tableEnd <= bytes.count else {
      throw Refusal(.unreadable, at: "\(name) offset 24", "says \(count) sections")
    }
    var entries: [Entry] = []
    var end = tableEnd
    for index in 0..<count {
      let entry = try Self.entry(index, in: bytes, after: end, name: name)
      guard !entries.contains(where: { $0.tag == entry.tag }) else {
        throw Refusal(.unreadable, at: "\(name) section \(index)", "\(entry.tag) is there twice")
      }
      end = entry.range.upperBound
      entries.append(entry)
    }
    self.entries = entries
  }

  private static func entry(
    _ index: Int, in bytes: UnsafeRawBufferPointer, after end: Int, name: String
  ) throws(Refusal) -> Entry {
    let base = headerByteCount + index * entryByteCount
    let place = "\(name) section \(index)"
    let elementByteCount = Int(bytes.word(at: base + 4))
    guard let offset = Int(exactly: bytes.longWord(at: base + 8)),
      let byteCount = Int(exactly: bytes.longWord(at: base + 16)),
      let count = Int(exactly: bytes.longWord(at: base + 24)),
      offset >= end, offset % alignment == 0, byteCount <= bytes.count, offset <= bytes.count - byteCount
    else { throw Refusal(.unreadable, at: place, "lies outside of the segment or over its neighbour") }
    let (product, overflow) = count.multipliedReportingOverflow(by: elementByteCount)
    guard elementByteCount > 0, !overflow, product == byteCount else {
      throw Refusal(
        .unreadable, at: place, "\(count) elements of \(elementByteCount) are not \(byteCount) bytes")
    }
    return Entry(
      tag: SegmentTag(word: bytes.word(at: base)), elementByteCount: elementByteCount,
      range: offset..<(offset + byteCount), count: count)
  }

  package func contains(_ tag: SegmentTag) -> Bool { entries.contains { $0.tag == tag } }

  /// A section as elements of `Element`, in place. The buffer lives as long as `mapped`: keep the segment.
  package func array<Element: BitwiseCopyable>(
    _ tag: SegmentTag, of type: Element.Type
  ) throws(Refusal) -> UnsafeBufferPointer<Element> {
    guard let entry = entries.first(where: { $0.tag == tag }) else {
      throw Refusal(.unreadable, at: "\(name) section \(tag)", "is missing")
    }
    guard entry.elementByteCount == MemoryLayout<Element>.stride else {
      throw Refusal(
        .unreadable, at: "\(name) section \(tag)",
        "has elements of \(entry.elementByteCount) bytes, not \(MemoryLayout<Element>.stride)")
    }
    let slice = UnsafeRawBufferPointer(rebasing: mapped.bytes[entry.range])
    return UnsafeBufferPointer(
      start: slice.baseAddress?.assumingMemoryBound(to: Element.self), count: slice.isEmpty ? 0 : entry.count)
  }

  /// A section that must have exactly `count` elements.
  package func array<Element: BitwiseCopyable>(
    _ tag: SegmentTag, of type: Element.Type, count: Int
  ) throws(Refusal) -> UnsafeBufferPointer<Element> {
    let elements = try array(tag, of: type)
    guard elements.count == count else {
      throw Refusal(
        .unreadable, at: "\(name) section \(tag)", "has \(elements.count) elements where \(count) belong")
    }
    return elements
  }
}

/// A name of four ASCII characters, as segments use for kinds and sections.
package struct SegmentTag: Hashable, Sendable, ExpressibleByStringLiteral, CustomStringConvertible {
  package let word: UInt32

  package init(word: UInt32) { self.word = word }

  package init(stringLiteral text: StaticString) {
    precondition(text.utf8CodeUnitCount == 4, "a tag has four characters")
    var word: UInt32 = 0
    for index in 0..<4 { word |= UInt32(text.utf8Start[index]) << (8 * UInt32(index)) }
    self.word = word
  }

  package var description: String {
    String(decoding: (0..<4).map { UInt8(truncatingIfNeeded: word >> (8 * UInt32($0))) }, as: UTF8.self)
  }
}

extension UnsafeRawBufferPointer {
  /// Four bytes, little-endian, at any alignment. The caller has checked the bounds.
  package func word(at offset: Int) -> UInt32 {
    UInt32(littleEndian: loadUnaligned(fromByteOffset: offset, as: UInt32.self))
  }

  /// Eight bytes, little-endian, at any alignment. The caller has checked the bounds.
  package func longWord(at offset: Int) -> UInt64 {
    UInt64(littleEndian: loadUnaligned(fromByteOffset: offset, as: UInt64.self))
  }
}
