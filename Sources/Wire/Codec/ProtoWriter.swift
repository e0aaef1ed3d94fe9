internal import Base

/// Writes protobuf's wire format into bytes: proto3, fields with their default value left out.
///
/// Every message that we send is written here, and every message that we receive is read by protobuf-c, which is
/// the oracle of this file in tests.
struct ProtoWriter {
  private(set) var bytes: [UInt8] = []

  init(capacity: Int = 0) { bytes.reserveCapacity(capacity) }

  mutating func number(_ field: Int, _ value: UInt64) {
    guard value != 0 else { return }
    tag(field, .varint)
    varint(value)
  }

  mutating func number(_ field: Int, _ value: Int64) { number(field, UInt64(bitPattern: value)) }

  mutating func flag(_ field: Int, _ value: Bool) { number(field, value ? 1 as UInt64 : 0) }

  mutating func float(_ field: Int, _ value: Float) {
    // By bits: minus zero is not the default.
    guard value.bitPattern != 0 else { return }
    tag(field, .fixed32)
    bytes.append(littleEndian: value.bitPattern)
  }

  mutating func text(_ field: Int, _ value: String) {
    if !value.isEmpty { textElement(field, value) }
  }

  mutating func data(_ field: Int, _ value: [UInt8]) {
    if !value.isEmpty { dataElement(field, value) }
  }

  /// An element of a repeated field: written even when it is empty.
  mutating func textElement(_ field: Int, _ value: String) {
    header(field, byteCount: value.utf8.count)
    bytes.append(contentsOf: value.utf8)
  }

  mutating func dataElement(_ field: Int, _ value: [UInt8]) {
    header(field, byteCount: value.count)
    bytes.append(contentsOf: value)
  }

  mutating func packed(_ field: Int, _ values: [UInt64]) {
    guard !values.isEmpty else { return }
    message(field) { inner in
      for value in values { inner.varint(value) }
    }
  }

  /// A nested message, written even when it is empty: its presence says something.
  ///
  /// One byte is kept for the length, since most are short; a longer body moves up to make room.
  mutating func message(_ field: Int, _ body: (inout ProtoWriter) -> Void) {
    tag(field, .delimited)
    let start = bytes.count
    bytes.append(0)
    body(&self)
    let byteCount = bytes.count - start - 1
    guard byteCount >= 0x80 else {
      bytes[start] = UInt8(byteCount)
      return
    }
    var length = ProtoWriter()
    length.varint(UInt64(byteCount))
    bytes.replaceSubrange(start...start, with: length.bytes)
  }

  /// Starts a string or bytes.
  private mutating func header(_ field: Int, byteCount: Int) {
    tag(field, .delimited)
    varint(UInt64(byteCount))
  }

  private mutating func varint(_ value: UInt64) {
    var rest = value
    while rest >= 0x80 {
      bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
      rest >>= 7
    }
    bytes.append(UInt8(rest))
  }

  private mutating func tag(_ field: Int, _ type: WireType) {
    varint(UInt64(field) << 3 | UInt64(type.rawValue))
  }
}

/// How a field's value is laid out; groups are not spoken here.
enum WireType: UInt8 {
  case varint = 0
  case fixed64 = 1
  case delimited = 2
  case fixed32 = 5
}

/// Lengths of fields before they are written. Field numbers up to 15, whose tags take one byte.
enum ProtoSize {
  static func varint(_ value: UInt64) -> Int { (70 - (value | 1).leadingZeroBitCount) / 7 }

  static func number(_ value: UInt64) -> Int { value == 0 ? 0 : 1 + varint(value) }

  static func float(_ value: Float) -> Int { value.bitPattern == 0 ? 0 : 5 }

  static func text(_ value: String) -> Int {
    let byteCount = value.utf8.count
    return byteCount == 0 ? 0 : delimited(byteCount)
  }

  static func delimited(_ byteCount: Int) -> Int { 1 + varint(UInt64(byteCount)) + byteCount }
}
