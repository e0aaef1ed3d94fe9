import Base
import MarqueeClient
import Wire

/// What a load calls.
protocol LoadTarget: Sendable {
  func rank(_ request: RankRequest, timeoutMilliseconds: UInt64) async throws -> LoadOutcome
  func close() async
}

/// Replicas, directly: no routing, no retries.
struct DirectTarget: LoadTarget {
  private let stubs: [RankingStub]
  private let connections: [ClientConnection]
  private let loops: WireLoops

  init(_ call: CallOptions, _ count: Int) throws {
    let loops = WireLoops()
    let tls = try call.identity.tls(role: .edgeClient)
    self.loops = loops
    connections = try (0..<max(count, call.edge.count)).map { number in
      let address = call.edge[number % call.edge.count]
      return try ClientConnection(
        host: address.host, port: address.port, tls: tls, time: SystemTime(), loops: loops)
    }
    stubs = connections.map { RankingStub($0) }
  }

  /// Opens every connection with a call of its own, so that a handshake is not measured as a call. A failure is left
  /// to the calls that are measured.
  func connect() async {
    let deadline = SystemTime().instant.advanced(byMilliseconds: 5000)
    for stub in stubs {
      _ = try? await stub.rank(
        RankRequest(requestID: "connect", profileID: "connect", country: "US"), deadline: deadline)
    }
  }

  /// Without a task: `done` is called on the event loop.
  func rank(
    _ request: RankRequest, timeoutMilliseconds: UInt64,
    done: @escaping @Sendable (Result<LoadOutcome, Fault>) -> Void
  ) {
    stub(for: request).rank(
      request, deadline: SystemTime().instant.advanced(byMilliseconds: timeoutMilliseconds)
    ) {
      done($0.map(LoadOutcome.init).mapError(\.fault))
    }
  }

  func rank(_ request: RankRequest, timeoutMilliseconds: UInt64) async throws -> LoadOutcome {
    let deadline = SystemTime().instant.advanced(byMilliseconds: timeoutMilliseconds)
    do { return LoadOutcome(try await stub(for: request).rank(request, deadline: deadline)) } catch {
      throw error.fault
    }
  }

  private func stub(for request: RankRequest) -> RankingStub {
    stubs[Int(truncatingIfNeeded: stableHash(request.requestID.utf8) >> 1) % stubs.count]
  }

  func close() async {
    for connection in connections { await connection.close() }
    await loops.shutDown()
  }
}

/// The client library, as an application has it.
struct FollowingTarget: LoadTarget {
  private let client: MarqueeClient

  init(_ call: CallOptions) throws { client = try call.client() }

  func rank(_ request: RankRequest, timeoutMilliseconds: UInt64) async throws -> LoadOutcome {
    LoadOutcome(
      try await client.rank(
        RankQuery(profile: request.profileID, country: request.country, debug: request.debug),
        timeout: .milliseconds(Int64(timeoutMilliseconds))))
  }

  func close() async { await client.close() }
}

extension LoadOutcome {
  init(_ reply: RankReply) {
    self.init(
      region: reply.region, replica: reply.replica, sequence: reply.snapshot.sequence,
      titleIDs: reply.rows.flatMap { $0.titles.map(\.id) }, rungs: reply.rungs.map { "\($0)" },
      stages: reply.stages.map { ("\($0.stage)", Int($0.microseconds)) })
  }

  init(_ result: RankResult) {
    self.init(
      region: result.region, replica: result.replica, sequence: result.snapshot.sequence,
      titleIDs: result.rows.flatMap { $0.titles.map(\.id) }, rungs: result.degradations,
      stages: result.stages.map { ($0.stage, $0.microseconds) })
  }
}
