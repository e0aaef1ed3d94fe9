package import Base

/// `Fleet`: replicas follow the control node.
package enum FleetService {
  /// `follow` runs as long as the replica's stream; returning ends it. That the first report is a hello, and no other
  /// is, is for `follow` to hold.
  package static func methods(
    follow: @escaping @Sendable (Requests<FollowReport>, DirectiveWriter, ServerCall) async throws -> Void
  ) -> [RPCMethod] {
    [
      .streaming(.follow) { call, requests, writer in
        let reports = Requests<FollowReport>(messages: requests) { bytes throws(Fault) in
          try FollowCodec.decodeReport(bytes)
        }
        try await follow(reports, DirectiveWriter(writer: writer), call)
      }
    ]
  }
}

/// Sends directives to one replica.
package struct DirectiveWriter: Sendable {
  let writer: ResponseWriter

  /// Waits while the replica reads slowly. Throws a `Fault` once the stream has ended.
  package func send(_ directive: Directive) async throws {
    try await writer.send(FollowCodec.encode(directive))
  }
}

/// Calls `Fleet`.
package struct FleetStub: Sendable {
  private let connection: ClientConnection

  package init(_ connection: ClientConnection) { self.connection = connection }

  package func follow() async throws(CallFailure) -> FollowCall {
    FollowCall(try await connection.open(MarqueeMethod.follow.path))
  }
}

/// A replica's open stream to the control node. Letting go of it ends it.
package struct FollowCall: Sendable {
  private let call: ClientCall

  init(_ call: ClientCall) { self.call = call }

  /// Waits while the control node reads slowly. Throws the stream's `Fault` once it has ended.
  package func send(_ report: FollowReport) async throws { try await call.send(FollowCodec.encode(report)) }

  /// For one reader. Ends by throwing the stream's `Fault`, when it did not end well.
  package var directives: Replies<Directive> {
    Replies<Directive>(messages: call.responses) { bytes throws(Fault) in
      try FollowCodec.decodeDirective(bytes)
    }
  }

  package func finishSending() { call.finishSending() }
  package func cancel() { call.cancel() }
}
