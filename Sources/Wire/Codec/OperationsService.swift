package import Base

/// What answers operators. Every call says who asks, for the audit log.
package protocol OperationsHandler: Sendable {
  /// Returns when the snapshot is durable and verified. `chunks` are those that were missing, in batches.
  func publish(
    _ order: PublishOrder, chunks: PublishedChunks, _ call: ServerCall
  ) async throws -> PublishReceipt
  func missingChunks(_ manifest: SignedBytes, _ call: ServerCall) async throws -> [Digest]
  func rollback(_ order: SignedBytes, _ call: ServerCall) async throws -> FleetStatus
  func pin(_ order: PinOrder, _ call: ServerCall) async throws -> FleetStatus
  /// An empty region is every region.
  func unpin(region: String, _ call: ServerCall) async throws -> FleetStatus
  func status(_ call: ServerCall) async throws -> FleetStatus
  func route(_ order: RoutingOrder, _ call: ServerCall) async throws -> RoutingTable
}

/// `Operations`.
package enum OperationsService {
  package static func methods(_ handler: some OperationsHandler) -> [RPCMethod] {
    [
      .streaming(.publish) { call, requests, writer in
        var messages = requests.makeAsyncIterator()
        guard let first = try await messages.next(),
          case .order(let order) = try OperationsCodec.decodePublish(first)
        else { throw Fault(.invalidArgument, "PublishRequest: the first message has to have the manifest") }
        let chunks = PublishedChunks(rest: requests)
        let receipt = try await handler.publish(order, chunks: chunks, call)
        try await writer.send(OperationsCodec.encode(receipt))
      },
      .unary(
        .missingChunks, decode: { bytes throws(Fault) in try SignedCodec.decode(bytes) },
        encode: { OperationsCodec.encodeMissing($0) }, answer: { try await handler.missingChunks($0, $1) }),
      .unary(
        .rollback, decode: { bytes throws(Fault) in try OperationsCodec.decodeRollback(bytes) },
        encode: { FleetStatusCodec.encode($0) }, answer: { try await handler.rollback($0, $1) }),
      .unary(
        .pin, decode: { bytes throws(Fault) in try OperationsCodec.decodePin(bytes) },
        encode: { FleetStatusCodec.encode($0) }, answer: { try await handler.pin($0, $1) }),
      .unary(
        .unpin, decode: { bytes throws(Fault) in try OperationsCodec.decodeUnpin(bytes) },
        encode: { FleetStatusCodec.encode($0) }, answer: { try await handler.unpin(region: $0, $1) }),
      .unary(
        .status, decode: { bytes throws(Fault) in try OperationsCodec.decodeStatusRequest(bytes) },
        encode: { FleetStatusCodec.encode($0) }, answer: { _, call in try await handler.status(call) }),
      .unary(
        .route, decode: { bytes throws(Fault) in try OperationsCodec.decodeRoute(bytes) },
        encode: { RoutingCodec.encode($0) }, answer: { try await handler.route($0, $1) }),
    ]
  }
}

/// The chunks of a publishing after its first message, in batches as they arrive; for one reader.
package struct PublishedChunks: AsyncSequence, Sendable {
  package typealias Element = [[UInt8]]

  let rest: RequestStream

  package struct AsyncIterator: AsyncIteratorProtocol {
    var messages: RequestStream.AsyncIterator

    package mutating func next() async throws -> [[UInt8]]? {
      guard let message = try await messages.next() else { return nil }
      guard case .chunks(let chunks) = try OperationsCodec.decodePublish(message) else {
        throw Fault(.invalidArgument, "PublishRequest: only the first message has a manifest")
      }
      return chunks
    }
  }

  package func makeAsyncIterator() -> AsyncIterator { AsyncIterator(messages: rest.makeAsyncIterator()) }
}
