internal import Base
internal import CMessages

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Walks a message's bytes by its descriptor before protobuf-c sees them, and refuses what protobuf-c would take:
/// strings that are not UTF-8 or have a NUL in them (it cuts them there), and so many fields that its bookkeeping
/// outgrows the message by far.
///
/// A fault's text begins with the field, if there is one; whoever catches it puts the message's name before it.
struct WireWalk {
  /// Schemas have no recursion; this holds should one come in.
  private static let depthMax = 16

  /// protobuf-c takes up to about 100 bytes for a field of 2 bytes, so this bounds its memory.
  private var fieldsLeft: Int
  private let fieldCountMax: Int

  init(fieldCountMax: Int) {
    self.fieldCountMax = fieldCountMax
    fieldsLeft = fieldCountMax
  }

  mutating func check(
    _ bytes: Span<UInt8>, as message: UnsafePointer<ProtobufCMessageDescriptor>
  ) throws(Fault) {
    try check(bytes, bytes.indices, as: message, depth: 0)
  }

  private mutating func check(
    _ bytes: Span<UInt8>, _ range: Range<Int>, as message: UnsafePointer<ProtobufCMessageDescriptor>,
    depth: Int
  ) throws(Fault) {
    guard depth < Self.depthMax else { throw Fault(.invalidArgument, " nests messages too deeply") }
    var cursor = WireCursor(range)
    var seen: UInt64 = 0
    while !cursor.isAtEnd {
      let (number, type) = try cursor.tag(bytes)
      try count()
      guard let field = protobuf_c_message_descriptor_get_field(message, number) else {
        try cursor.skip(type, bytes)
        continue
      }
      do throws(Fault) {
        let isRepeated = field.pointee.label == PROTOBUF_C_LABEL_REPEATED
        if field.pointee.type == PROTOBUF_C_TYPE_MESSAGE && !isRepeated {
          // Legal, merged by readers, and written by nobody: it would slip past the counts of its parts. Fields that
          // are messages have numbers below 64 here; beyond that this would refuse too much, never too little.
          let bit: UInt64 = 1 << UInt64((number - 1) & 63)
          guard seen & bit == 0 else { throw Fault(.invalidArgument, " is given twice") }
          seen |= bit
        }
        try value(of: field.pointee, isRepeated, type, bytes, &cursor, depth)
      } catch {
        throw Fault(error.code, String(cString: field.pointee.name) + error.message)
      }
    }
  }

  private mutating func value(
    of field: ProtobufCFieldDescriptor, _ isRepeated: Bool, _ type: WireType, _ bytes: Span<UInt8>,
    _ cursor: inout WireCursor, _ depth: Int
  ) throws(Fault) {
    let own = Self.wireType(of: field.type)
    if type == own, type != .delimited { return try cursor.skip(type, bytes) }
    guard type == .delimited, own == .delimited || isRepeated else {
      throw Fault(.invalidArgument, " has wire type \(type.rawValue), not \(own.rawValue)")
    }
    let inside = try cursor.delimited(bytes)
    switch field.type {
    case PROTOBUF_C_TYPE_STRING: try Self.checkText(bytes.extracting(inside))
    case PROTOBUF_C_TYPE_BYTES: break
    case PROTOBUF_C_TYPE_MESSAGE:
      guard let raw = field.descriptor else { preconditionFailure("a message field has a descriptor") }
      do throws(Fault) {
        try check(
          bytes, inside, as: raw.assumingMemoryBound(to: ProtobufCMessageDescriptor.self), depth: depth + 1)
      } catch {
        throw Fault(error.code, "." + error.message)
      }
    default:
      var elements = WireCursor(inside)
      while !elements.isAtEnd {
        try count()
        try elements.skip(own, bytes)
      }
    }
  }

  private mutating func count() throws(Fault) {
    guard fieldsLeft > 0 else { throw Fault(.invalidArgument, " more than \(fieldCountMax) fields") }
    fieldsLeft -= 1
  }

  private static func checkText(_ bytes: Span<UInt8>) throws(Fault) {
    let zero = bytes.withUnsafeBytes { all in
      all.baseAddress.flatMap { start in memchr(start, 0, all.count).map { UnsafeRawPointer($0) - start } }
    }
    if let zero { throw Fault(.invalidArgument, " has a NUL at byte \(zero)") }
    do { _ = try UTF8Span(validating: bytes) } catch {
      throw Fault(.invalidArgument, " is not UTF-8: byte \(error.byteOffsets.lowerBound)")
    }
  }

  private static func wireType(of type: ProtobufCType) -> WireType {
    switch type {
    case PROTOBUF_C_TYPE_STRING, PROTOBUF_C_TYPE_BYTES, PROTOBUF_C_TYPE_MESSAGE: .delimited
    case PROTOBUF_C_TYPE_FLOAT, PROTOBUF_C_TYPE_FIXED32, PROTOBUF_C_TYPE_SFIXED32: .fixed32
    case PROTOBUF_C_TYPE_DOUBLE, PROTOBUF_C_TYPE_FIXED64, PROTOBUF_C_TYPE_SFIXED64: .fixed64
    default: .varint
    }
  }
}

/// Reads protobuf's wire format from bytes that nobody vouches for.
private struct WireCursor {
  private var position: Int
  private let end: Int

  init(_ range: Range<Int>) {
    position = range.lowerBound
    end = range.upperBound
  }

  var isAtEnd: Bool { position == end }

  mutating func tag(_ bytes: Span<UInt8>) throws(Fault) -> (field: UInt32, type: WireType) {
    let value = try shortVarint(bytes, "tag")
    guard let type = WireType(rawValue: UInt8(value & 7)) else {
      throw Fault(.invalidArgument, " wire type \(value & 7) is not spoken here")
    }
    guard let field = UInt32(exactly: value >> 3), field > 0, field < 1 << 29 else {
      throw Fault(.invalidArgument, " \(value >> 3) is no field number")
    }
    return (field, type)
  }

  mutating func skip(_ type: WireType, _ bytes: Span<UInt8>) throws(Fault) {
    switch type {
    case .varint: _ = try varint(bytes)
    case .fixed64: try advance(8)
    case .fixed32: try advance(4)
    case .delimited: _ = try delimited(bytes)
    }
  }

  /// Where the value of a string, of bytes, of a message or of packed numbers lies.
  mutating func delimited(_ bytes: Span<UInt8>) throws(Fault) -> Range<Int> {
    let count = try shortVarint(bytes, "length")
    guard count <= UInt64(end - position) else { throw Self.cut }
    let start = position
    position += Int(count)
    return start..<position
  }

  /// A tag or a length. Nobody writes them longer than they need to be, and protobuf-c looks at five bytes only.
  private mutating func shortVarint(_ bytes: Span<UInt8>, _ name: String) throws(Fault) -> UInt64 {
    let start = position
    let value = try varint(bytes)
    guard position - start <= 5 else { throw Fault(.invalidArgument, " has a \(name) of more than 5 bytes") }
    return value
  }

  private mutating func varint(_ bytes: Span<UInt8>) throws(Fault) -> UInt64 {
    var value: UInt64 = 0
    for shift in stride(from: UInt64(0), to: 70, by: 7) {
      guard position < end else { throw Self.cut }
      let byte = bytes[position]
      position += 1
      // The tenth byte's upper bits fall off, as in every reader.
      value |= UInt64(byte & 0x7f) << shift
      if byte < 0x80 { return value }
    }
    throw Fault(.invalidArgument, " has a number of more than 10 bytes")
  }

  private mutating func advance(_ count: Int) throws(Fault) {
    guard count <= end - position else { throw Self.cut }
    position += count
  }

  private static let cut = Fault(.invalidArgument, " is cut off: the message ends before its value does")
}
