package import Base

/// `Ranking`: rows for a profile.
package enum RankingService {
  /// `rank` is called on the event loop and must not block; it answers once, from any thread.
  package static func methods(
    rank:
      @escaping @Sendable (
        RankRequest, ServerCall, @escaping @Sendable (Result<RankReply, Fault>) -> Void
      ) -> Void
  ) -> [RPCMethod] {
    [
      .unary(
        .rank, decode: { bytes throws(Fault) in try RankCodec.decodeRequest(bytes) },
        send: { RankCodec.send($0, $1) }, answer: rank)
    ]
  }
}

/// Calls `Ranking`.
package struct RankingStub: Sendable {
  private let connection: ClientConnection

  package init(_ connection: ClientConnection) { self.connection = connection }

  package func rank(_ request: RankRequest, deadline: Instant?) async throws(CallFailure) -> RankReply {
    try await connection.unary(.rank, RankCodec.encode(request), deadline: deadline) { bytes throws(Fault) in
      try RankCodec.decodeReply(bytes)
    }
  }

  /// The same without a task: `done` is called once, on the event loop, and must not block.
  package func rank(
    _ request: RankRequest, deadline: Instant?,
    done: @escaping @Sendable (Result<RankReply, CallFailure>) -> Void
  ) {
    connection.unary(MarqueeMethod.rank.path, RankCodec.encode(request), deadline: deadline) { result in
      done(
        result.flatMap { reply in
          do throws(Fault) { return .success(try RankCodec.decodeReply(reply.message)) } catch {
            return .failure(CallFailure(error, trailers: reply.trailers))
          }
        })
    }
  }
}
