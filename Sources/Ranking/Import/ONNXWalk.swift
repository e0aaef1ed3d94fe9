internal import Base
internal import CMessages
internal import CProtobufC

/// Walks an ONNX file by its schema before protobuf-c reads it: protobuf-c says only that something is wrong, this says
/// at which byte; and it bounds the fields, for each of which protobuf-c takes up to a hundred bytes.
struct ONNXWalk {
  static let fieldCountMax = 1 << 20

  private let bytes: UnsafeRawBufferPointer
  private let name: String
  private var position = 0
  private var path: [String] = []
  private var fieldsLeft = fieldCountMax

  /// Throws with the place of the first byte that can't be.
  static func check(_ bytes: UnsafeRawBufferPointer, name: String) throws(Refusal) {
    var walk = ONNXWalk(bytes: bytes, name: name)
    try walk.message(to: bytes.count, descriptor)
  }

  /// The schema's outermost message. Its own address is in every message; the imported global may be a copy.
  private static var descriptor: UnsafePointer<ProtobufCMessageDescriptor> {
    var model = Marquee__Onnx__Model()
    marquee__onnx__model__init(&model)
    guard let descriptor = model.base.descriptor else {
      preconditionFailure("a generated message names its descriptor")
    }
    return descriptor
  }

  private init(bytes: UnsafeRawBufferPointer, name: String) {
    self.bytes = bytes
    self.name = name
  }

  private func refusal(_ message: String, _ code: Refusal.Code = .malformed) -> Refusal {
    let way = path.isEmpty ? "" : " (\(path.joined(separator: ".")))"
    return Refusal(code, at: "\(name) byte \(position)\(way)", message)
  }

  private mutating func message(
    to end: Int, _ descriptor: UnsafePointer<ProtobufCMessageDescriptor>
  ) throws(Refusal) {
    var seen: Set<UInt32> = []
    while position < end {
      let tag = try varint(end)
      guard let number = UInt32(exactly: tag >> 3), number > 0 else {
        throw refusal("has a field without a number")
      }
      fieldsLeft -= 1
      guard fieldsLeft >= 0 else {
        throw refusal("has more than \(Self.fieldCountMax) fields before it", .limitExceeded)
      }
      let field = protobuf_c_message_descriptor_get_field(descriptor, number)
      path.append(field.map { String(cString: $0.pointee.name) } ?? "field \(number)")
      switch tag & 7 {
      case 0: _ = try varint(end)
      case 1: try skip(8, end)
      case 5: try skip(4, end)
      case 2:
        let length = try varint(end)
        guard length <= UInt64(end - position) else {
          throw refusal("has \(length) bytes to come, and \(end - position) are left", .truncated)
        }
        let inner = position + Int(length)
        if let field, field.pointee.type == PROTOBUF_C_TYPE_MESSAGE, let raw = field.pointee.descriptor {
          let isRepeated = field.pointee.label == PROTOBUF_C_LABEL_REPEATED
          guard isRepeated || seen.insert(number).inserted else { throw refusal("is given twice") }
          try message(to: inner, raw.assumingMemoryBound(to: ProtobufCMessageDescriptor.self))
        }
        position = inner
      default: throw refusal("has a field of wire type \(tag & 7)")
      }
      path.removeLast()
    }
  }

  private mutating func varint(_ end: Int) throws(Refusal) -> UInt64 {
    var value: UInt64 = 0
    for shift in stride(from: UInt64(0), to: 70, by: 7) {
      guard position < end else { throw refusal("ends in the middle of a number", .truncated) }
      let byte = bytes[position]
      position += 1
      value |= UInt64(byte & 0x7f) << shift
      if byte & 0x80 == 0 { return value }
    }
    throw refusal("has a number of more than ten bytes")
  }

  private mutating func skip(_ count: Int, _ end: Int) throws(Refusal) {
    guard count <= end - position else { throw refusal("ends in the middle of a number", .truncated) }
    position += count
  }
}
