package import Base

/// The fields of one protobuf message, in their order, from bytes that nobody vouches for.
///
/// Not Wire's own codec: that one is what is tested.
package struct FieldReader {
  package enum Value {
    case number(UInt64)
    case bytes(ArraySlice<UInt8>)
    case fixed64(UInt64)
    /// Which no message here has.
    case fixed32
  }

  private var rest: ArraySlice<UInt8>

  package init(_ bytes: ArraySlice<UInt8>) { rest = bytes }

  /// `nil` at the end.
  package mutating func next() throws(Fault) -> (field: UInt64, value: Value)? {
    guard !rest.isEmpty else { return nil }
    let tag = try varint()
    switch tag & 7 {
    case 0: return (tag >> 3, .number(try varint()))
    case 1: return (tag >> 3, .fixed64(try fixed(8)))
    case 2:
      let count = try varint()
      guard count <= UInt64(rest.count) else { throw Self.cut }
      defer { rest = rest.dropFirst(Int(count)) }
      return (tag >> 3, .bytes(rest.prefix(Int(count))))
    case 5:
      _ = try fixed(4)
      return (tag >> 3, .fixed32)
    default: throw Fault(.invalidArgument, "the message has a field of wire type \(tag & 7)")
    }
  }

  private mutating func varint() throws(Fault) -> UInt64 {
    var value: UInt64 = 0
    for shift in stride(from: UInt64(0), to: 70, by: 7) {
      guard let byte = rest.popFirst() else { throw Self.cut }
      value |= UInt64(byte & 0x7f) << shift
      if byte < 0x80 { return value }
    }
    throw Fault(.invalidArgument, "the message has a number of more than 10 bytes")
  }

  private mutating func fixed(_ count: Int) throws(Fault) -> UInt64 {
    guard rest.count >= count else { throw Self.cut }
    defer { rest = rest.dropFirst(count) }
    return rest.prefix(count).reversed().reduce(0) { $0 << 8 | UInt64($1) }
  }

  private static let cut = Fault(.invalidArgument, "the message is cut off")
}

/// A message that is read field by field. Fields of another type than they should have are passed over, as protobuf's
/// own readers do.
package protocol TestMessage: Sendable, Equatable {
  init()
  mutating func take(_ field: UInt64, _ value: FieldReader.Value) throws(Fault)
  func write(to writer: inout FieldWriter)
}

extension TestMessage {
  package init(decoding bytes: [UInt8]) throws(Fault) { try self.init(bytes[...]) }

  init(_ bytes: ArraySlice<UInt8>) throws(Fault) {
    self.init()
    var reader = FieldReader(bytes)
    while let (field, value) = try reader.next() { try take(field, value) }
  }

  package var bytes: [UInt8] {
    var writer = FieldWriter()
    write(to: &writer)
    return writer.bytes
  }
}

extension FieldReader.Value {
  var flag: Bool? { if case .number(let number) = self { number != 0 } else { nil } }
  var int32: Int32? { if case .number(let number) = self { Int32(truncatingIfNeeded: number) } else { nil } }
  var double: Double? { if case .fixed64(let bits) = self { Double(bitPattern: bits) } else { nil } }
  var data: [UInt8]? { if case .bytes(let bytes) = self { Array(bytes) } else { nil } }

  func text() throws(Fault) -> String? {
    guard case .bytes(let bytes) = self else { return nil }
    guard let text = String(validating: bytes, as: UTF8.self) else {
      throw Fault(.invalidArgument, "a string is not UTF-8")
    }
    return text
  }

  func message<Message: TestMessage>() throws(Fault) -> Message? {
    guard case .bytes(let bytes) = self else { return nil }
    return try Message(bytes)
  }
}
