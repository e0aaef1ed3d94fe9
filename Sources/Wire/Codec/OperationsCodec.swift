package import Base
internal import CMessages

/// One message of a publishing: the order first, then the chunks that the control node lacks.
package enum PublishPart: Sendable, Equatable {
  case order(PublishOrder)
  case chunks([[UInt8]])
}

/// Holds a region at a sequence.
package struct PinOrder: Sendable, Equatable {
  /// Empty is every region.
  package var region: String
  /// 0 is what it serves now.
  package var sequence: UInt64

  package init(region: String, sequence: UInt64) {
    self.region = region
    self.sequence = sequence
  }
}

/// The messages of `Operations`, but for `FleetStatus`.
package enum OperationsCodec {
  private static let publish = MessageShape.request(
    marquee__v1__publish_request__init,
    fieldCountMax: CodecLimits.chunksPerPublishMax + Limits.regionCountMax + 64)
  private static let published = MessageShape.reply(marquee__v1__publish_response__init, fieldCountMax: 64)
  private static let missing = MessageShape.reply(
    marquee__v1__missing_chunks_response__init, fieldCountMax: CodecLimits.chunkDigestCountMax + 64)
  private static let rollback = MessageShape.request(marquee__v1__rollback_request__init, fieldCountMax: 64)
  private static let pin = MessageShape.request(marquee__v1__pin_request__init, fieldCountMax: 64)
  private static let unpin = MessageShape.request(marquee__v1__unpin_request__init, fieldCountMax: 64)
  private static let status = MessageShape.request(marquee__v1__status_request__init, fieldCountMax: 64)
  private static let route = MessageShape.request(marquee__v1__route_request__init, fieldCountMax: 64)

  package static func decodePublish(_ bytes: [UInt8]) throws(Fault) -> PublishPart {
    try publish.decode(bytes) { message throws(Fault) in
      guard let manifest = message.manifest else {
        guard message.n_regions == 0 else {
          throw Fault(.invalidArgument, "regions belong beside the manifest, in the first message")
        }
        try Field.checkCount(message.n_chunks, "chunks", max: CodecLimits.chunksPerPublishMax)
        var chunks: [[UInt8]] = []
        for index in 0..<message.n_chunks {
          chunks.append(
            try Field.bytes(message.chunks[index], "chunks[\(index)]", max: Limits.chunkByteCountMax))
        }
        return .chunks(chunks)
      }
      guard message.n_chunks == 0 else {
        throw Fault(.invalidArgument, "chunks belong in the messages after the manifest's")
      }
      return .order(
        PublishOrder(
          manifest: try Field.inside(manifest.pointee, "manifest", SignedCodec.read),
          regions: try Field.texts(
            message.regions, message.n_regions, "regions", max: Limits.regionCountMax)))
    }
  }

  package static func encode(_ part: PublishPart) -> [UInt8] {
    switch part {
    case .order(let order):
      var writer = ProtoWriter(capacity: order.manifest.payload.count + 256)
      writer.message(1) { SignedCodec.write(order.manifest, to: &$0) }
      for region in order.regions { writer.textElement(2, region) }
      return writer.bytes
    case .chunks(let chunks):
      var writer = ProtoWriter(capacity: chunks.reduce(0) { $0 + $1.count + 8 })
      for chunk in chunks { writer.dataElement(3, chunk) }
      return writer.bytes
    }
  }

  package static func decodePublishReceipt(_ bytes: [UInt8]) throws(Fault) -> PublishReceipt {
    try published.decode(bytes) { message throws(Fault) in
      PublishReceipt(
        sequence: message.sequence, digest: try Field.digest(message.digest, "digest"),
        bytesReceived: message.bytes_received, bytesTotal: message.bytes_total)
    }
  }

  package static func encode(_ receipt: PublishReceipt) -> [UInt8] {
    var writer = ProtoWriter()
    writer.number(1, receipt.sequence)
    writer.data(2, receipt.digest.bytes)
    writer.number(3, receipt.bytesReceived)
    writer.number(4, receipt.bytesTotal)
    return writer.bytes
  }

  package static func decodeMissing(_ bytes: [UInt8]) throws(Fault) -> [Digest] {
    try missing.decode(bytes) { message throws(Fault) in
      try Field.digests(message.sha256, message.n_sha256, "sha256", max: CodecLimits.chunkDigestCountMax)
    }
  }

  package static func encodeMissing(_ digests: [Digest]) -> [UInt8] { ChunkCodec.encode(digests) }

  package static func decodeRollback(_ bytes: [UInt8]) throws(Fault) -> SignedBytes {
    try rollback.decode(bytes) { message throws(Fault) in
      try Field.inside(try Field.required(message.order, "order"), "order", SignedCodec.read)
    }
  }

  package static func encodeRollback(_ order: SignedBytes) -> [UInt8] {
    var writer = ProtoWriter(capacity: 256)
    writer.message(1) { SignedCodec.write(order, to: &$0) }
    return writer.bytes
  }

  package static func decodePin(_ bytes: [UInt8]) throws(Fault) -> PinOrder {
    try pin.decode(bytes) { message throws(Fault) in
      PinOrder(region: try Field.text(message.region, "region"), sequence: message.sequence)
    }
  }

  package static func encode(_ order: PinOrder) -> [UInt8] {
    var writer = ProtoWriter()
    writer.text(1, order.region)
    writer.number(2, order.sequence)
    return writer.bytes
  }

  /// The region, or empty for every one.
  package static func decodeUnpin(_ bytes: [UInt8]) throws(Fault) -> String {
    try unpin.decode(bytes) { message throws(Fault) in try Field.text(message.region, "region") }
  }

  package static func encodeUnpin(region: String) -> [UInt8] {
    var writer = ProtoWriter()
    writer.text(1, region)
    return writer.bytes
  }

  package static func decodeStatusRequest(_ bytes: [UInt8]) throws(Fault) {
    try status.decode(bytes) { _ throws(Fault) in }
  }

  package static func encodeStatusRequest() -> [UInt8] { [] }

  package static func decodeRoute(_ bytes: [UInt8]) throws(Fault) -> RoutingOrder {
    try route.decode(bytes) { message throws(Fault) in
      RoutingOrder(
        from: try Field.requiredText(message.from, "from"), to: try Field.text(message.to, "to"),
        expectedEpoch: message.expected_epoch)
    }
  }

  package static func encode(_ order: RoutingOrder) -> [UInt8] {
    var writer = ProtoWriter()
    writer.text(1, order.from)
    writer.text(2, order.to)
    writer.number(3, order.expectedEpoch)
    return writer.bytes
  }
}
