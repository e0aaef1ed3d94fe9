#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Writes protobuf's wire format, in one pass, into memory that is large enough by arithmetic: for the one message that
/// is hot.
///
/// Field numbers up to 15. ``ProtoWriter`` is its slow twin. That the memory is large enough is our own promise: a write
/// beyond the end stops the process.
struct ExactWriter: ~Copyable {
  private var next: UnsafeMutablePointer<UInt8>
  private let end: UnsafeMutablePointer<UInt8>

  private init(_ start: UnsafeMutablePointer<UInt8>, byteCount: Int) {
    next = start
    end = start + byteCount
  }

  /// How many bytes `body` writes at the start of `buffer`, which is large enough for all.
  static func write(
    into buffer: UnsafeMutableBufferPointer<UInt8>, _ body: (inout ExactWriter) -> Void
  ) -> Int {
    guard let start = buffer.baseAddress else { return 0 }
    var writer = ExactWriter(start, byteCount: buffer.count)
    body(&writer)
    return writer.next - start
  }

  /// A nested message. Its length goes before it and is known after it: room is kept for `lengthByteCount` bytes of
  /// length, and when they turn out to be another number, the message moves.
  @inline(__always)
  mutating func nested(_ field: UInt8, lengthByteCount: Int, _ body: (inout ExactWriter) -> Void) {
    byte(field << 3 | WireType.delimited.rawValue)
    precondition(end - next >= lengthByteCount)
    let place = next
    next += lengthByteCount
    body(&self)
    let byteCount = next - place - lengthByteCount
    let needed = ProtoSize.varint(UInt64(byteCount))
    if needed != lengthByteCount {
      precondition(end - next >= needed - lengthByteCount)
      memmove(place + needed, place + lengthByteCount, byteCount)
    }
    next = place
    varint(UInt64(byteCount))
    next += byteCount
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

  mutating func text(_ field: UInt8, _ value: String) {
    withUnsafePointer(to: value) { text(field, at: $0) }
  }

  /// By its place: a text that is handed over as a value is retained and released for it, which takes longer than
  /// writing it.
  @inline(__always)
  mutating func text(_ field: UInt8, at value: UnsafePointer<String>) {
    let isWritten: Void? = value.pointee.utf8.withContiguousStorageIfAvailable {
      bytes(field, UnsafeRawBufferPointer($0))
    }
    if isWritten == nil { foreignText(field, value.pointee) }
  }

  /// A text that lies in memory as UTF-8.
  @inline(__always)
  mutating func bytes(_ field: UInt8, _ value: UnsafeRawBufferPointer) {
    guard let source = value.baseAddress, value.count > 0 else { return }
    header(field, byteCount: value.count)
    precondition(end - next >= value.count)
    copy(source, value.count)
    next += value.count
  }

  /// A text that isn't stored as UTF-8: no string of ours, but Swift knows of such.
  @inline(never)
  private mutating func foreignText(_ field: UInt8, _ value: String) {
    guard !value.isEmpty else { return }
    header(field, byteCount: value.utf8.count)
    for unit in value.utf8 { byte(unit) }
  }

  /// Most texts are short: two overlapping words are faster than a call of `memcpy`.
  @inline(__always)
  private func copy(_ source: UnsafeRawPointer, _ byteCount: Int) {
    let target = UnsafeMutableRawPointer(next)
    switch byteCount {
    case 8...16:
      let first = source.loadUnaligned(as: UInt64.self)
      let last = source.loadUnaligned(fromByteOffset: byteCount - 8, as: UInt64.self)
      target.storeBytes(of: first, as: UInt64.self)
      target.storeBytes(of: last, toByteOffset: byteCount - 8, as: UInt64.self)
    case 17...32:
      let first = source.loadUnaligned(as: SIMD2<UInt64>.self)
      let last = source.loadUnaligned(fromByteOffset: byteCount - 16, as: SIMD2<UInt64>.self)
      target.storeBytes(of: first, as: SIMD2<UInt64>.self)
      target.storeBytes(of: last, toByteOffset: byteCount - 16, as: SIMD2<UInt64>.self)
    default: memcpy(target, source, byteCount)
    }
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
