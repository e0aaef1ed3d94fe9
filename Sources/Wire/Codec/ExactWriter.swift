#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Writes protobuf's wire format into memory whose size was computed before: for the one message that is hot.
///
/// Field numbers up to 15. ``ProtoWriter`` is its slow twin. That the sizes were right is our own promise: a write
/// beyond the end stops the process.
struct ExactWriter: ~Copyable {
  private var next: UnsafeMutablePointer<UInt8>
  private let end: UnsafeMutablePointer<UInt8>

  private init(_ buffer: UnsafeMutableBufferPointer<UInt8>, byteCount: Int) {
    guard let start = buffer.baseAddress else {
      preconditionFailure("memory of \(byteCount) bytes has an address")
    }
    next = start
    end = start + byteCount
  }

  /// `byteCount` bytes, at least one, all of which `body` writes.
  static func bytes(byteCount: Int, _ body: (inout ExactWriter) -> Void) -> [UInt8] {
    [UInt8](unsafeUninitializedCapacity: byteCount) { buffer, initializedCount in
      var writer = ExactWriter(buffer, byteCount: byteCount)
      body(&writer)
      precondition(writer.next == writer.end, "a message was shorter than computed")
      initializedCount = byteCount
    }
  }

  @inline(__always)
  mutating func number(_ field: UInt8, _ value: UInt64) {
    guard value != 0 else { return }
    byte(field << 3 | WireType.varint.rawValue)
    varint(value)
  }

  @inline(__always)
  mutating func float(_ field: UInt8, _ value: Float) {
    guard value.bitPattern != 0 else { return }
    byte(field << 3 | WireType.fixed32.rawValue)
    precondition(end - next >= 4)
    UnsafeMutableRawPointer(next).storeBytes(of: value.bitPattern.littleEndian, as: UInt32.self)
    next += 4
  }

  @inline(__always)
  mutating func text(_ field: UInt8, _ value: String) {
    let byteCount = value.utf8.count
    guard byteCount > 0 else { return }
    header(field, byteCount: byteCount)
    precondition(end - next >= byteCount)
    var copy = value
    copy.withUTF8 { utf8 in
      if let source = utf8.baseAddress { memcpy(next, source, byteCount) }
    }
    next += byteCount
  }

  /// Starts a nested message of this many bytes.
  @inline(__always)
  mutating func header(_ field: UInt8, byteCount: Int) {
    byte(field << 3 | WireType.delimited.rawValue)
    varint(UInt64(byteCount))
  }

  @inline(__always)
  mutating func varint(_ value: UInt64) {
    var rest = value
    while rest >= 0x80 {
      byte(UInt8(truncatingIfNeeded: rest) | 0x80)
      rest >>= 7
    }
    byte(UInt8(truncatingIfNeeded: rest))
  }

  @inline(__always)
  private mutating func byte(_ value: UInt8) {
    precondition(next < end)
    next.pointee = value
    next += 1
  }
}
