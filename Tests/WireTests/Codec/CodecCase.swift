import Base
import CMessages
import Testing
import Wire

/// One message type, with a random value, its codec, and protobuf-c beside it.
struct CodecCase: Sendable, CustomTestStringConvertible {
  let testDescription: String
  /// Bytes of a random value.
  let encoded: @Sendable (inout RandomValues) -> [UInt8]
  let descriptor: @Sendable () -> UnsafePointer<ProtobufCMessageDescriptor>
  /// Throws what the codec throws.
  let decode: @Sendable ([UInt8]) throws(Fault) -> Void
  /// A random value, encoded and decoded, is itself.
  let expectRoundTrip: @Sendable (inout RandomValues) throws -> Void
  /// The bytes as protobuf-c writes what it has read from them; `nil` when it can't read them.
  let repacked: @Sendable ([UInt8]) -> [UInt8]?

  static func of<Value: Equatable & SendableMetatype, Message: SendableMetatype>(
    _ name: String, _ initialize: @escaping @Sendable (UnsafeMutablePointer<Message>?) -> Void,
    _ make: @escaping @Sendable (inout RandomValues) -> Value,
    _ encode: @escaping @Sendable (Value) -> [UInt8],
    _ decode: @escaping @Sendable ([UInt8]) throws(Fault) -> Value
  ) -> CodecCase {
    CodecCase(
      testDescription: name,
      encoded: { encode(make(&$0)) },
      descriptor: { WireTests.descriptor(initialize) },
      decode: { bytes throws(Fault) in _ = try decode(bytes) },
      expectRoundTrip: { values in
        let value = make(&values)
        let decoded = try decode(encode(value))
        #expect(decoded == value)
      },
      repacked: { bytes in
        let message = UnsafeMutablePointer<Message>.allocate(capacity: 1)
        defer { message.deallocate() }
        initialize(message)
        let descriptor = UnsafeRawPointer(message).load(as: ProtobufCMessage.self).descriptor
        guard let unpacked = protobuf_c_message_unpack(descriptor, nil, bytes.count, bytes) else {
          return nil
        }
        defer { protobuf_c_message_free_unpacked(unpacked, nil) }
        var packed = [UInt8](repeating: 0, count: protobuf_c_message_get_packed_size(unpacked))
        _ = protobuf_c_message_pack(unpacked, &packed)
        return packed
      })
  }

  static let all: [CodecCase] = [
    of(
      "RankRequest", { marquee__v1__rank_request__init($0) }, { $0.rankRequest() },
      { RankCodec.encode($0) }, { bytes throws(Fault) in try RankCodec.decodeRequest(bytes) }),
    of(
      "RankResponse", { marquee__v1__rank_response__init($0) }, { $0.rankReply() },
      { RankCodec.encode($0) }, { bytes throws(Fault) in try RankCodec.decodeReply(bytes) }),
    of(
      "RecordRequest", { marquee__v1__record_request__init($0) }, { $0.list(12) { $0.event() } },
      { EventCodec.encode($0) }, { bytes throws(Fault) in try EventCodec.decodeEvents(bytes) }),
    of(
      "RecordResponse", { marquee__v1__record_response__init($0) }, { $0.receipt() },
      { EventCodec.encode($0) }, { bytes throws(Fault) in try EventCodec.decodeReceipt(bytes) }),
    of(
      "RoutingTable", { marquee__v1__routing_table__init($0) }, { $0.routing() },
      { RoutingCodec.encode($0) }, { bytes throws(Fault) in try RoutingCodec.decodeTable(bytes) }),
    of(
      "Signed", { marquee__v1__signed__init($0) }, { $0.signed() },
      { SignedCodec.encode($0) }, { bytes throws(Fault) in try SignedCodec.decode(bytes) }),
    of(
      "FetchRequest", { marquee__v1__fetch_request__init($0) }, { $0.list(20) { $0.digest() } },
      { ChunkCodec.encode($0) }, { bytes throws(Fault) in try ChunkCodec.decodeRequest(bytes) }),
    of(
      "FetchResponse", { marquee__v1__fetch_response__init($0) },
      { ChunkReply(digest: $0.digest(), data: $0.flag() ? nil : $0.bytes(500)) },
      { ChunkCodec.encode($0) }, { bytes throws(Fault) in try ChunkCodec.decodeReply(bytes) }),
    of(
      "FollowRequest", { marquee__v1__follow_request__init($0) }, { $0.report() },
      { FollowCodec.encode($0) }, { bytes throws(Fault) in try FollowCodec.decodeReport(bytes) }),
    of(
      "Directive", { marquee__v1__directive__init($0) }, { $0.directive() },
      { FollowCodec.encode($0) }, { bytes throws(Fault) in try FollowCodec.decodeDirective(bytes) }),
    of(
      "PublishRequest", { marquee__v1__publish_request__init($0) }, { $0.publishPart() },
      { OperationsCodec.encode($0) }, { bytes throws(Fault) in try OperationsCodec.decodePublish(bytes) }),
    of(
      "PublishResponse", { marquee__v1__publish_response__init($0) },
      {
        PublishReceipt(
          sequence: $0.word(), digest: $0.digest(), bytesReceived: $0.word(), bytesTotal: $0.word())
      },
      { OperationsCodec.encode($0) },
      { bytes throws(Fault) in try OperationsCodec.decodePublishReceipt(bytes) }),
    of(
      "MissingChunksResponse", { marquee__v1__missing_chunks_response__init($0) },
      { $0.list(20) { $0.digest() } }, { OperationsCodec.encodeMissing($0) },
      { bytes throws(Fault) in try OperationsCodec.decodeMissing(bytes) }),
    of(
      "RollbackRequest", { marquee__v1__rollback_request__init($0) }, { $0.signed() },
      { OperationsCodec.encodeRollback($0) },
      { bytes throws(Fault) in try OperationsCodec.decodeRollback(bytes) }),
    of(
      "PinRequest", { marquee__v1__pin_request__init($0) },
      { PinOrder(region: $0.text(), sequence: $0.word()) }, { OperationsCodec.encode($0) },
      { bytes throws(Fault) in try OperationsCodec.decodePin(bytes) }),
    of(
      "UnpinRequest", { marquee__v1__unpin_request__init($0) }, { $0.text() },
      { OperationsCodec.encodeUnpin(region: $0) },
      { bytes throws(Fault) in try OperationsCodec.decodeUnpin(bytes) }),
    of(
      "RouteRequest", { marquee__v1__route_request__init($0) },
      { RoutingOrder(from: $0.id(), to: $0.text(), expectedEpoch: $0.word()) },
      { OperationsCodec.encode($0) }, { bytes throws(Fault) in try OperationsCodec.decodeRoute(bytes) }),
    of(
      "FleetStatus", { marquee__v1__fleet_status__init($0) }, { $0.fleet() },
      { FleetStatusCodec.encode($0) }, { bytes throws(Fault) in try FleetStatusCodec.decode(bytes) }),
  ]
}
