internal import Base
internal import CMessages

/// One C message type: how bytes of it are read, and whose fault it is when they can't be.
///
/// Guard for `@unchecked Sendable`: the descriptor is a constant of the generated C.
struct MessageShape<Message>: @unchecked Sendable {
  private let descriptor: UnsafePointer<ProtobufCMessageDescriptor>
  private let fieldCountMax: Int
  private let code: Fault.Code

  /// What a client sent: `invalidArgument` when it can't be read.
  static func request(
    _ initialize: (UnsafeMutablePointer<Message>?) -> Void, fieldCountMax: Int
  ) -> MessageShape {
    MessageShape(initialize, fieldCountMax, .invalidArgument)
  }

  /// What a server sent: `internalError` when it can't be read, as gRPC has it; the caller's arguments were fine.
  static func reply(
    _ initialize: (UnsafeMutablePointer<Message>?) -> Void, fieldCountMax: Int
  ) -> MessageShape {
    MessageShape(initialize, fieldCountMax, .internalError)
  }

  private init(
    _ initialize: (UnsafeMutablePointer<Message>?) -> Void, _ fieldCountMax: Int, _ code: Fault.Code
  ) {
    // The descriptor's own address is in every message; the imported global may be a copy.
    let message = UnsafeMutablePointer<Message>.allocate(capacity: 1)
    defer { message.deallocate() }
    initialize(message)
    guard let descriptor = UnsafeRawPointer(message).load(as: ProtobufCMessage.self).descriptor else {
      preconditionFailure("a generated message names its descriptor")
    }
    self.descriptor = descriptor
    self.fieldCountMax = fieldCountMax
    self.code = code
  }

  /// The C message lives while `read` runs. Faults of `read` begin with the field's name; the message's name is put
  /// before it here.
  func decode<Value>(
    _ bytes: [UInt8], _ read: (Message) throws(Fault) -> Value
  ) throws(Fault) -> Value {
    do throws(Fault) {
      var walk = WireWalk(fieldCountMax: fieldCountMax)
      try walk.check(bytes.span, as: descriptor)
      let unpacked = bytes.withUnsafeBufferPointer {
        protobuf_c_message_unpack(descriptor, nil, $0.count, $0.baseAddress)
      }
      guard let unpacked else { throw Fault(.invalidArgument, "is not protobuf of this type") }
      defer { protobuf_c_message_free_unpacked(unpacked, nil) }
      return try read(UnsafeRawPointer(unpacked).load(as: Message.self))
    } catch {
      let name = String(cString: descriptor.pointee.short_name)
      throw Fault(code, "\(name): \(error.message.trimmingPrefix(" "))")
    }
  }
}
