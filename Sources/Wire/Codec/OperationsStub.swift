package import Base

/// Calls `Operations`.
package struct OperationsStub: Sendable {
  /// Chunks are gathered into messages up to this, far below a message's limit.
  private static let publishMessageByteCount = 1 << 20

  private let connection: ClientConnection

  package init(_ connection: ClientConnection) { self.connection = connection }

  /// Sends the order, then what `nextChunk` gives until it gives `nil`. Its errors end the call and come out as the
  /// fault that they are, or else as `unknown`.
  package func publish(
    _ order: PublishOrder, deadline: Instant?, nextChunk: () async throws -> [UInt8]?
  ) async throws(CallFailure) -> PublishReceipt {
    var isFirst = true
    var isDone = false
    return try await connection.clientStreaming(.publish, deadline: deadline) {
      if isFirst {
        isFirst = false
        return OperationsCodec.encode(.order(order))
      }
      var batch: [[UInt8]] = []
      var byteCount = 0
      while !isDone, byteCount < Self.publishMessageByteCount, batch.count < CodecLimits.chunksPerPublishMax {
        guard let chunk = try await nextChunk() else {
          isDone = true
          break
        }
        byteCount += chunk.count
        batch.append(chunk)
      }
      return batch.isEmpty ? nil : OperationsCodec.encode(.chunks(batch))
    } decode: { bytes throws(Fault) in
      try OperationsCodec.decodePublishReceipt(bytes)
    }
  }

  package func missingChunks(
    _ manifest: SignedBytes, deadline: Instant?
  ) async throws(CallFailure) -> [Digest] {
    try await connection.unary(
      .missingChunks, SignedCodec.encode(manifest), deadline: deadline
    ) { bytes throws(Fault) in try OperationsCodec.decodeMissing(bytes) }
  }

  package func rollback(_ order: SignedBytes, deadline: Instant?) async throws(CallFailure) -> FleetStatus {
    try await fleet(.rollback, OperationsCodec.encodeRollback(order), deadline)
  }

  package func pin(_ order: PinOrder, deadline: Instant?) async throws(CallFailure) -> FleetStatus {
    try await fleet(.pin, OperationsCodec.encode(order), deadline)
  }

  /// An empty region is every region.
  package func unpin(region: String, deadline: Instant?) async throws(CallFailure) -> FleetStatus {
    try await fleet(.unpin, OperationsCodec.encodeUnpin(region: region), deadline)
  }

  package func status(deadline: Instant?) async throws(CallFailure) -> FleetStatus {
    try await fleet(.status, OperationsCodec.encodeStatusRequest(), deadline)
  }

  package func route(_ order: RoutingOrder, deadline: Instant?) async throws(CallFailure) -> RoutingTable {
    try await connection.unary(
      .route, OperationsCodec.encode(order), deadline: deadline
    ) { bytes throws(Fault) in try RoutingCodec.decodeTable(bytes) }
  }

  private func fleet(
    _ method: MarqueeMethod, _ request: [UInt8], _ deadline: Instant?
  ) async throws(CallFailure) -> FleetStatus {
    try await connection.unary(method, request, deadline: deadline) { bytes throws(Fault) in
      try FleetStatusCodec.decode(bytes)
    }
  }
}
