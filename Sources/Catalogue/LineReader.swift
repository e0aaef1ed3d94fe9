#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Cuts a file into lines in bounded memory; owns its buffer.
final class LineReader {
  static let lineByteCountMax = 1 << 20

  let file: String
  /// The number of the line that `next` gave last; 1 is the first.
  private(set) var line = 0
  private let source: ByteSource
  private let buffer: UnsafeMutableRawBufferPointer
  private var start = 0
  private var end = 0
  private var ended = false

  init(path: String, file: String? = nil) throws(CatalogueFault) {
    source = try ByteSource(path: path)
    self.file = file ?? path
    buffer = .allocate(byteCount: Self.lineByteCountMax * 2, alignment: 64)
  }

  deinit { buffer.deallocate() }

  /// The next line without its line feed (and carriage return), in place until the next call; `nil` at the end.
  /// A byte order mark before the first is left out.
  func next() throws(CatalogueFault) -> UnsafeRawBufferPointer? {
    var searched = start
    while true {
      if let feed = position(of: UInt8(ascii: "\n"), from: searched) {
        return try take(to: feed, skipping: 1)
      }
      searched = end - start
      guard end - start <= Self.lineByteCountMax else { throw tooLong() }
      if ended { return start < end ? try take(to: end, skipping: 0) : nil }
      if start > 0 {
        memmove(at(0), at(start), end - start)
        end -= start
        start = 0
      }
      let count = try source.read(into: UnsafeMutableRawBufferPointer(rebasing: buffer[end...]))
      ended = count == 0
      end += count
    }
  }

  /// Whole lines of about `byteCount` bytes copied out, with the number of the first; `nil` at the end.
  func block(byteCount: Int) throws(CatalogueFault) -> LineBlock? {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(byteCount + Self.lineByteCountMax)
    var offsets = [0]
    let firstLine = line + 1
    while bytes.count < byteCount, let next = try next() {
      bytes.append(contentsOf: next)
      offsets.append(bytes.count)
    }
    return offsets.count > 1 ? LineBlock(firstLine: firstLine, bytes: bytes, offsets: offsets) : nil
  }

  private func take(to feed: Int, skipping skipped: Int) throws(CatalogueFault) -> UnsafeRawBufferPointer {
    line += 1
    var range = start..<feed
    start = feed + skipped
    guard range.count <= Self.lineByteCountMax else {
      line -= 1
      throw tooLong()
    }
    if line == 1, range.count >= 3, buffer[range.lowerBound] == 0xef, buffer[range.lowerBound + 1] == 0xbb,
      buffer[range.lowerBound + 2] == 0xbf
    {
      range = (range.lowerBound + 3)..<range.upperBound
    }
    if let last = range.last, buffer[last] == UInt8(ascii: "\r") { range = range.lowerBound..<last }
    return UnsafeRawBufferPointer(rebasing: buffer[range])
  }

  private func position(of byte: UInt8, from searched: Int) -> Int? {
    let from = max(start, searched)
    guard from < end, let found = memchr(at(from), Int32(byte), end - from) else { return nil }
    return UnsafeRawPointer(found) - UnsafeRawPointer(at(0))
  }

  private func at(_ offset: Int) -> UnsafeMutableRawPointer {
    guard let base = buffer.baseAddress else { preconditionFailure("the buffer is never empty") }
    return base + offset
  }

  private func tooLong() -> CatalogueFault {
    CatalogueFault(
      .lineTooLong, file: file, line: line + 1,
      "is longer than \(Self.lineByteCountMax) bytes; is it one record a line, with \\n at the ends?")
  }
}

/// Some whole lines of a file, copied: line `firstLine + n` is `bytes[offsets[n]..<offsets[n + 1]]`.
struct LineBlock: Sendable {
  var firstLine: Int
  var bytes: [UInt8]
  var offsets: [Int]
}
