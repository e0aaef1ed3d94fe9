package import Base

/// `Routing`: where to call.
package enum RoutingService {
  /// `watch` gives the table now and each one after it; a table that is no newer than the last is not sent again.
  package static func methods(
    get: @escaping @Sendable () async throws -> RoutingTable,
    watch: @escaping @Sendable () -> AsyncStream<RoutingTable>
  ) -> [RPCMethod] {
    [
      .unary(
        .getRouting, decode: { bytes throws(Fault) in try RoutingCodec.decodeRequest(bytes) },
        encode: { RoutingCodec.encode($0) }, answer: { _, _ in try await get() }),
      .streaming(.watchRouting) { _, requests, writer in
        try RoutingCodec.decodeRequest(try await requests.only())
        var epoch: UInt64?
        for await table in watch() where epoch.map({ table.epoch > $0 }) ?? true {
          epoch = table.epoch
          try await writer.send(RoutingCodec.encode(table))
        }
      },
    ]
  }
}

/// Calls `Routing`.
package struct RoutingStub: Sendable {
  private let connection: ClientConnection

  package init(_ connection: ClientConnection) { self.connection = connection }

  package func get(deadline: Instant?) async throws(CallFailure) -> RoutingTable {
    try await connection.unary(
      .getRouting, RoutingCodec.encodeRequest(), deadline: deadline
    ) { bytes throws(Fault) in try RoutingCodec.decodeTable(bytes) }
  }

  /// The table now, and each one after it. Cancelling the reading task ends the call.
  package func watch() async throws(CallFailure) -> Replies<RoutingTable> {
    try await connection.serverStreaming(
      .watchRouting, RoutingCodec.encodeRequest(), deadline: nil
    ) { bytes throws(Fault) in try RoutingCodec.decodeTable(bytes) }
  }
}
