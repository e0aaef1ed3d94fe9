package import Base

/// `Events`: what people did, taken in.
package enum EventsService {
  /// `record` is called for each message in turn and returns when its events are durable.
  package static func methods(
    record: @escaping @Sendable ([Event], ServerCall) async throws -> RecordReceipt
  ) -> [RPCMethod] {
    [
      .streaming(.record) { call, requests, writer in
        var total = RecordReceipt(acceptedCount: 0, duplicateCount: 0, position: 0)
        for try await message in requests {
          let receipt = try await record(try EventCodec.decodeEvents(message), call)
          total.acceptedCount += receipt.acceptedCount
          total.duplicateCount += receipt.duplicateCount
          total.position = max(total.position, receipt.position)
        }
        try await writer.send(EventCodec.encode(total))
      }
    ]
  }
}

/// Calls `Events`.
package struct EventsStub: Sendable {
  private let connection: ClientConnection

  package init(_ connection: ClientConnection) { self.connection = connection }

  /// Any number of events, in messages of as many as one may have.
  package func record(_ events: [Event], deadline: Instant?) async throws(CallFailure) -> RecordReceipt {
    var start = 0
    return try await connection.clientStreaming(.record, deadline: deadline) {
      guard start < events.count else { return nil }
      let end = min(events.count, start + Limits.eventsPerMessageMax)
      defer { start = end }
      return EventCodec.encode(events[start..<end])
    } decode: { bytes throws(Fault) in
      try EventCodec.decodeReceipt(bytes)
    }
  }
}
