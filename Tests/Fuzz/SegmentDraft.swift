import Base

/// A segment whose head and table are made around sections that may have anything in them: no fuzzer finds offsets and
/// sums of sizes.
struct SegmentDraft {
  struct Section {
    var tag: String
    var elementByteCount: Int
    var content: [UInt8]
  }

  var tag: String
  var formatVersion: UInt32 = 1
  var sections: [Section]
  /// Bytes between sections that belong to none.
  var gap = 0

  /// The segment, and what of it no reader may touch.
  func made() -> (bytes: [UInt8], gaps: [Range<Int>]) {
    var bytes = Segment.magic
    bytes += Array(tag.utf8)
    append(Int(formatVersion), 4, to: &bytes)
    let tableEnd = Segment.headerByteCount + sections.count * Segment.entryByteCount
    var offset = padded(tableEnd)
    var offsets: [Int] = []
    var gaps: [Range<Int>] = []
    for section in sections {
      offsets.append(offset)
      let end = offset + section.content.count
      offset = padded(end + gap)
      gaps.append(end..<offset)
    }
    append(offset, 8, to: &bytes)
    append(sections.count, 4, to: &bytes)
    bytes += [UInt8](repeating: 0, count: Segment.headerByteCount - bytes.count)
    for (section, place) in zip(sections, offsets) {
      bytes += Array(section.tag.utf8)
      append(section.elementByteCount, 4, to: &bytes)
      append(place, 8, to: &bytes)
      append(section.content.count, 8, to: &bytes)
      append(section.content.count / section.elementByteCount, 8, to: &bytes)
    }
    for (section, place) in zip(sections, offsets) {
      bytes += [UInt8](repeating: 0, count: place - bytes.count) + section.content
    }
    return (bytes + [UInt8](repeating: 0, count: offset - bytes.count), gaps)
  }

  /// In memory of its own, where AddressSanitizer finds a step from one section towards the next.
  func mapped() -> MappedBytes {
    let (bytes, gaps) = made()
    let mapped = MappedBytes(copying: bytes)
    for gap in gaps where !gap.isEmpty {
      poison(mapped.bytes.baseAddress.map { $0 + gap.lowerBound }, gap.count)
    }
    return mapped
  }

  private func padded(_ offset: Int) -> Int {
    (offset + Segment.alignment - 1) / Segment.alignment * Segment.alignment
  }

  private func append(_ value: Int, _ byteCount: Int, to bytes: inout [UInt8]) {
    for place in 0..<byteCount { bytes.append(UInt8(truncatingIfNeeded: value >> (8 * place))) }
  }
}

/// AddressSanitizer's own. Freeing takes it back.
@_silgen_name("__asan_poison_memory_region")
private func poison(_ start: UnsafeRawPointer?, _ count: Int)
