import Base

@testable import Wire

/// One codec: reads bytes and writes what it has read.
private struct Codec {
  let name: String
  let rewrite: ([UInt8]) throws(Fault) -> [UInt8]

  init<Value>(
    _ name: String, _ decode: @escaping ([UInt8]) throws(Fault) -> Value,
    _ encode: @escaping (Value) -> [UInt8]
  ) {
    self.name = name
    rewrite = { bytes throws(Fault) in encode(try decode(bytes)) }
  }
}

/// Guard for `nonisolated(unsafe)`: never written after it is made.
nonisolated(unsafe) private let codecs: [Codec] = [
  Codec("RankRequest", { b throws(Fault) in try RankCodec.decodeRequest(b) }, { RankCodec.encode($0) }),
  Codec("RankResponse", { b throws(Fault) in try RankCodec.decodeReply(b) }, { RankCodec.encode($0) }),
  Codec("RecordRequest", { b throws(Fault) in try EventCodec.decodeEvents(b) }, { EventCodec.encode($0) }),
  Codec("RecordResponse", { b throws(Fault) in try EventCodec.decodeReceipt(b) }, { EventCodec.encode($0) }),
  Codec("RoutingTable", { b throws(Fault) in try RoutingCodec.decodeTable(b) }, { RoutingCodec.encode($0) }),
  Codec("Signed", { b throws(Fault) in try SignedCodec.decode(b) }, { SignedCodec.encode($0) }),
  Codec("FetchRequest", { b throws(Fault) in try ChunkCodec.decodeRequest(b) }, { ChunkCodec.encode($0) }),
  Codec("FetchResponse", { b throws(Fault) in try ChunkCodec.decodeReply(b) }, { ChunkCodec.encode($0) }),
  Codec("FollowRequest", { b throws(Fault) in try FollowCodec.decodeReport(b) }, { FollowCodec.encode($0) }),
  Codec("Directive", { b throws(Fault) in try FollowCodec.decodeDirective(b) }, { FollowCodec.encode($0) }),
  Codec(
    "PublishRequest", { b throws(Fault) in try OperationsCodec.decodePublish(b) },
    { OperationsCodec.encode($0) }),
  Codec(
    "PublishResponse", { b throws(Fault) in try OperationsCodec.decodePublishReceipt(b) },
    { OperationsCodec.encode($0) }),
  Codec(
    "MissingChunksResponse", { b throws(Fault) in try OperationsCodec.decodeMissing(b) },
    { OperationsCodec.encodeMissing($0) }),
  Codec(
    "RollbackRequest", { b throws(Fault) in try OperationsCodec.decodeRollback(b) },
    { OperationsCodec.encodeRollback($0) }),
  Codec(
    "PinRequest", { b throws(Fault) in try OperationsCodec.decodePin(b) }, { OperationsCodec.encode($0) }),
  Codec(
    "UnpinRequest", { b throws(Fault) in try OperationsCodec.decodeUnpin(b) },
    { OperationsCodec.encodeUnpin(region: $0) }),
  Codec(
    "RouteRequest", { b throws(Fault) in try OperationsCodec.decodeRoute(b) }, { OperationsCodec.encode($0) }),
  Codec(
    "StatusRequest", { b throws(Fault) in try OperationsCodec.decodeStatusRequest(b) },
    { _ in OperationsCodec.encodeStatusRequest() }),
  Codec(
    "FleetStatus", { b throws(Fault) in try FleetStatusCodec.decode(b) }, { FleetStatusCodec.encode($0) }),
]

/// The first byte names the codec, the rest is the message: it is refused with a fault of ours, or what was read can be
/// written, read again and written alike.
func fuzzMessages(_ input: [UInt8]) {
  guard let first = input.first else { return }
  let codec = codecs[Int(first) % codecs.count]
  let message = Array(input.dropFirst())
  let written: [UInt8]
  do throws(Fault) { written = try codec.rewrite(message) } catch {
    guard error.code == .invalidArgument || error.code == .internalError else { found("\(error)") }
    guard error.message.hasPrefix("\(codec.name): ")
    else { found("a fault that doesn't name its message: \(error)") }
    // The walk has let it through, and it knows the same rules.
    if error.message.hasSuffix("is not protobuf of this type") { found("protobuf-c refuses: \(error)") }
    return
  }
  do throws(Fault) {
    guard try codec.rewrite(written) == written else { found("\(codec.name) is not written alike") }
  } catch { found("\(codec.name): we can't read what we wrote: \(error)") }
}
