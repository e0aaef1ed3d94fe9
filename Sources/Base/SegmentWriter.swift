#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Writes one segment to a file, section after section, without holding it in memory.
///
/// The header and the table come last, so a file that was not finished has no magic and opens as nothing.
package final class SegmentWriter {
  private let file: UnsafeMutablePointer<FILE>
  private let path: String
  private let kind: SegmentTag
  private let formatVersion: UInt32
  private var sections: [(tag: SegmentTag, elementByteCount: Int, offset: Int, byteCount: Int)] = []
  private var position = 0

  package init(path: String, kind: SegmentTag, formatVersion: UInt32) throws(DiskFault) {
    guard let file = fopen(path, "wb") else {
      throw DiskFault(errno == ENOSPC ? .full : .failed, path: path, "can't write: \(errnoText())")
    }
    self.file = file
    self.path = path
    self.kind = kind
    self.formatVersion = formatVersion
    try pad(to: Segment.headerByteCount + Segment.sectionCountMax * Segment.entryByteCount)
  }

  deinit { fclose(file) }

  /// Begins the next section; what is appended from here on is its content.
  package func begin(_ tag: SegmentTag, elementByteCount: Int) throws(DiskFault) {
    precondition(sections.count < Segment.sectionCountMax && elementByteCount > 0)
    precondition(!sections.contains { $0.tag == tag }, "a section has one name")
    let offset = (position + Segment.alignment - 1) / Segment.alignment * Segment.alignment
    try pad(to: offset)
    sections.append((tag, elementByteCount, offset, 0))
  }

  package func append(_ bytes: UnsafeRawBufferPointer) throws(DiskFault) {
    guard let start = bytes.baseAddress, !bytes.isEmpty else { return }
    guard fwrite(start, 1, bytes.count, file) == bytes.count else { throw fault() }
    position += bytes.count
    sections[sections.count - 1].byteCount += bytes.count
  }

  /// A whole section from an array.
  package func add<Element: BitwiseCopyable>(_ tag: SegmentTag, _ elements: [Element]) throws(DiskFault) {
    try begin(tag, elementByteCount: MemoryLayout<Element>.stride)
    try append(elements)
  }

  package func append<Element: BitwiseCopyable>(_ elements: [Element]) throws(DiskFault) {
    let outcome: Result<Void, DiskFault> = elements.withUnsafeBytes { bytes in
      do throws(DiskFault) {
        try append(bytes)
        return .success(())
      } catch {
        return .failure(error)
      }
    }
    try outcome.get()
  }

  /// Writes the header and brings everything to the disk.
  package func finish() throws(DiskFault) {
    try pad(to: (position + Segment.alignment - 1) / Segment.alignment * Segment.alignment)
    var head = Segment.magic
    head.append(littleEndian: kind.word)
    head.append(littleEndian: formatVersion)
    head.append(littleEndian: UInt64(position))
    head.append(littleEndian: UInt32(sections.count))
    head.append(contentsOf: [UInt8](repeating: 0, count: Segment.headerByteCount - head.count))
    for section in sections {
      precondition(
        section.byteCount % section.elementByteCount == 0, "section \(section.tag) has part of an element")
      head.append(littleEndian: section.tag.word)
      head.append(littleEndian: UInt32(section.elementByteCount))
      head.append(littleEndian: UInt64(section.offset))
      head.append(littleEndian: UInt64(section.byteCount))
      head.append(littleEndian: UInt64(section.byteCount / section.elementByteCount))
    }
    guard fseek(file, 0, SEEK_SET) == 0, fwrite(head, 1, head.count, file) == head.count, fflush(file) == 0,
      fsync(fileno(file)) == 0
    else { throw fault() }
  }

  private func pad(to target: Int) throws(DiskFault) {
    guard target > position else { return }
    let zeros = [UInt8](repeating: 0, count: target - position)
    guard fwrite(zeros, 1, zeros.count, file) == zeros.count else { throw fault() }
    position = target
  }

  private func fault() -> DiskFault {
    DiskFault(errno == ENOSPC ? .full : .failed, path: path, "can't write: \(errnoText())")
  }
}

extension [UInt8] {
  package mutating func append(littleEndian value: some FixedWidthInteger) {
    Swift.withUnsafeBytes(of: value.littleEndian) { append(contentsOf: $0) }
  }
}
