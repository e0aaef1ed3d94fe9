import Base
import Testing
import Wire

/// Typed services and stubs against each other, over plain text on loopback.
@Suite struct ServicesTests {
  private let digest = Digest(of: [1, 2, 3])

  @Test("a rank request and its reply cross the wire, with and without a task")
  func rank() async throws {
    try await withServer { connection in
      let request = RankRequest(requestID: "r1", profileID: "p1", country: "DE")
      let reply = try await RankingStub(connection).rank(request, deadline: nil)
      #expect(reply == Self.reply(to: request))
      let other: RankReply = try await withCheckedThrowingContinuation { continuation in
        RankingStub(connection).rank(request, deadline: nil) { continuation.resume(with: $0) }
      }
      #expect(other == reply)
    }
  }

  @Test("a drained region's fault arrives with where to go")
  func drained() async throws {
    try await withServer { connection in
      let failure = await failure {
        _ = try await RankingStub(connection).rank(
          RankRequest(requestID: "r", profileID: "drained", country: "DE"), deadline: nil)
      }
      #expect(failure?.code == .unavailable)
      #expect(failure?.fault.metadata[RoutingMetadata.epoch] == "7")
      #expect(failure?.fault.metadata[RoutingMetadata.replicas] == "h:1,h:2")
    }
  }

  @Test("a request that can't be read reaches no handler")
  func badRequest() async throws {
    try await withServer { connection in
      let failure = await failure {
        _ = try await connection.unary(MarqueeMethod.rank.path, [0x12, 1, 0xff])
      }
      #expect(failure?.code == .invalidArgument)
      #expect(failure?.fault.message == "RankRequest: profile_id is not UTF-8: byte 0")
    }
  }

  @Test("events arrive in messages of a thousand, and their receipts are summed")
  func record() async throws {
    try await withServer { connection in
      let receipt = try await EventsStub(connection).record(events(2500), deadline: nil)
      #expect(receipt == RecordReceipt(acceptedCount: 2500, duplicateCount: 3, position: 1000))
      let none = try await EventsStub(connection).record([], deadline: nil)
      #expect(none == RecordReceipt(acceptedCount: 0, duplicateCount: 0, position: 0))
    }
  }

  @Test("a bad event ends the call and is named")
  func badEvent() async throws {
    try await withServer { connection in
      var bad = events(3)
      bad[2].titleID = ""
      let failure = await failure { [bad] in _ = try await EventsStub(connection).record(bad, deadline: nil) }
      #expect(failure?.code == .invalidArgument)
      #expect(failure?.fault.message == "RecordRequest: events[2].title_id is required")
    }
  }

  @Test("the routing is told once, and again only when it is newer")
  func routing() async throws {
    try await withServer { connection in
      let table = try await RoutingStub(connection).get(deadline: nil)
      #expect(table.epoch == 5)
      var epochs: [UInt64] = []
      for try await table in try await RoutingStub(connection).watch() { epochs.append(table.epoch) }
      #expect(epochs == [1, 2, 9])
    }
  }

  @Test("chunks come in the order asked, the missing ones marked")
  func chunks() async throws {
    try await withServer { connection in
      let missing = Digest(of: [9])
      var replies: [ChunkReply] = []
      for try await chunk in try await ChunksStub(connection).fetch(
        [missing, digest, missing], deadline: nil)
      {
        replies.append(chunk)
      }
      #expect(
        replies == [
          ChunkReply(digest: missing, data: nil), ChunkReply(digest: digest, data: [1, 2, 3]),
          ChunkReply(digest: missing, data: nil),
        ])
    }
  }

  @Test("a server-streaming call has one request, not none and not two")
  func oneRequest() async throws {
    try await withServer { connection in
      for count in [0, 2] {
        let failure = await failure {
          let call = try await connection.open(MarqueeMethod.fetchChunks.path)
          for _ in 0..<count { try await call.send(ChunkCodec.encode([self.digest])) }
          call.finishSending()
          for try await _ in call.responses {}
        }
        #expect(failure?.code == .unimplemented)
      }
    }
  }

  @Test("reports and directives cross, and each side hears what the other can't read")
  func follow() async throws {
    try await withServer { connection in
      let call = try await FleetStub(connection).follow()
      var directives = call.directives.makeAsyncIterator()
      try await call.send(
        .hello(.init(region: "eu", replica: "eu-1", address: "h:1", status: ReplicaStatus())))
      let first = try await directives.next()
      #expect(first == Directive(nonce: 1, body: .announce(sequence: 4, digest: digest, rollback: nil)))
      try await call.send(.acknowledged(nonce: 1, status: ReplicaStatus(phase: .serving, serving: 4)))
      call.finishSending()
      let end = try await directives.next()
      #expect(end == nil)
      let failure = await failure {
        let raw = try await connection.open(MarqueeMethod.follow.path)
        try await raw.send([])
        for try await _ in raw.responses {}
      }
      #expect(failure?.fault.message == "FollowRequest: status is required")
    }
  }

  @Test("an order and its chunks are published, in order and whole")
  func publish() async throws {
    try await withServer { connection in
      let order = PublishOrder(
        manifest: SignedBytes(payload: [1], signature: [2], keyID: "k"), regions: ["eu"])
      // 40 chunks of 100,000 bytes take several messages.
      let count = Locked(0)
      let receipt = try await OperationsStub(connection).publish(order, deadline: nil) {
        let index = count.withLock { count in
          count += 1
          return count
        }
        return index > 40 ? nil : [UInt8](repeating: UInt8(index), count: 100_000)
      }
      #expect(receipt.bytesReceived == 4_000_000)
      #expect(receipt.sequence == 40)
      let failure = await failure {
        let raw = try await connection.open(MarqueeMethod.publish.path)
        try await raw.send(OperationsCodec.encode(.chunks([[1]])))
        for try await _ in raw.responses {}
      }
      #expect(failure?.code == .invalidArgument)
    }
  }

  @Test("a source of chunks that fails ends the publishing with its fault")
  func brokenSource() async throws {
    try await withServer { connection in
      let order = PublishOrder(manifest: SignedBytes(payload: [], signature: [], keyID: ""), regions: [])
      let failure = await failure {
        _ = try await OperationsStub(connection).publish(order, deadline: nil) {
          throw DiskFault(.failed, path: "/x", "can't read")
        }
      }
      #expect(failure?.code == .internalError)
      #expect(failure?.fault.message == "/x: can't read")
    }
  }

  @Test("orders of operators reach their handler, and its faults come back")
  func operations() async throws {
    try await withServer { connection in
      let stub = OperationsStub(connection)
      let signed = SignedBytes(payload: [7], signature: [8], keyID: "k")
      let missing = try await stub.missingChunks(signed, deadline: nil)
      #expect(missing == [Digest(of: [7])])
      let answers = [
        try await stub.rollback(signed, deadline: nil),
        try await stub.pin(PinOrder(region: "eu", sequence: 3), deadline: nil),
        try await stub.unpin(region: "", deadline: nil), try await stub.status(deadline: nil),
      ]
      #expect(answers.map { $0.regions.first?.halted } == ["rollback k", "pin eu 3", "unpin ", "status"])
      let table = try await stub.route(RoutingOrder(from: "a", to: "b", expectedEpoch: 1), deadline: nil)
      #expect(table.epoch == 2)
      let failure = await failure {
        _ = try await stub.route(RoutingOrder(from: "a", to: "b", expectedEpoch: 0), deadline: nil)
      }
      #expect(failure?.code == .aborted)
    }
  }

  @Test("each method admits the roles of the table, and no other", arguments: Role.allCases)
  func roles(_ role: Role) async throws {
    try await withServer(roles: [role]) { connection in
      for method in MarqueeMethod.allCases {
        let failure = await failure {
          let call = try await connection.open(
            method.path, deadline: SystemTime().instant.advanced(byMilliseconds: 5000))
          try? await call.send([0xff])
          call.finishSending()
          for try await _ in call.responses {}
        }
        // Bytes that nobody can read: whoever is admitted hears so.
        let isAdmitted = AccessTable.fleet[method.path].admits(Peer(roles: [role], address: "test"))
        let expected: Fault.Code = isAdmitted ? .invalidArgument : .permissionDenied
        #expect(failure?.code == expected, "\(method) as \(role)")
      }
    }
  }

  // MARK: The server

  private func events(_ count: Int) -> [Event] {
    (0..<count).map {
      Event(id: "e\($0)", profileID: "p", titleID: "t", kind: .play, at: Timestamp(seconds: 1_700_000_000))
    }
  }

  private static func reply(to request: RankRequest) -> RankReply {
    RankReply(
      requestID: request.requestID,
      rows: [.init(id: "new", name: "New", copying: [(id: "t", name: "T", score: 1, source: .new)])],
      snapshot: SnapshotName(sequence: 1, digest: "d", space: "s", model: "m", features: "f", policy: "p"),
      rungs: [.noHistory], region: "eu", replica: "eu-1", routingEpoch: 5)
  }

  private func failure(_ body: @Sendable () async throws -> Void) async -> CallFailure? {
    do {
      try await body()
      return nil
    } catch let failure as CallFailure {
      return failure
    } catch let fault as Fault { return CallFailure(fault) } catch {
      Issue.record("\(error)")
      return nil
    }
  }

  private func withServer(
    roles: Set<Role> = Set(Role.allCases), _ body: @Sendable (ClientConnection) async throws -> Void
  ) async throws {
    let digest = digest
    var methods = RankingService.methods { request, _, done in
      guard request.profileID != "drained" else {
        return done(
          .failure(
            Fault(
              .unavailable, "drained",
              metadata: [RoutingMetadata.epoch: "7", RoutingMetadata.replicas: "h:1,h:2"])))
      }
      done(.success(Self.reply(to: request)))
    }
    methods += EventsService.methods { events, _ in
      RecordReceipt(acceptedCount: events.count, duplicateCount: 1, position: UInt64(events.count))
    }
    methods += RoutingService.methods(
      get: { RoutingTable(epoch: 5, regions: []) },
      watch: {
        AsyncStream { continuation in
          for epoch: UInt64 in [1, 2, 2, 1, 9] { continuation.yield(RoutingTable(epoch: epoch, regions: [])) }
          continuation.finish()
        }
      })
    methods += ChunksService.methods { asked, _ in asked == digest ? [1, 2, 3] : nil }
    methods += FleetService.methods { reports, writer, _ in
      for try await report in reports {
        guard case .hello = report else { continue }
        try await writer.send(
          Directive(nonce: 1, body: .announce(sequence: 4, digest: digest, rollback: nil)))
      }
    }
    methods += OperationsService.methods(Operators())
    let server = Server(
      configuration: ServerConfiguration(host: "127.0.0.1", port: 0, tls: nil, anonymousRoles: roles),
      methods: methods, time: SystemTime())
    let (host, port) = try await server.start()
    let loops = WireLoops()
    let connection = try ClientConnection(
      host: host, port: port, tls: nil, time: SystemTime(), loops: loops)
    let outcome: Result<Void, any Error>
    do { outcome = .success(try await body(connection)) } catch { outcome = .failure(error) }
    await connection.close()
    await server.drain()
    await loops.shutDown()
    try outcome.get()
  }
}

struct Operators: OperationsHandler {
  func publish(
    _ order: PublishOrder, chunks: PublishedChunks, _ call: ServerCall
  ) async throws -> PublishReceipt {
    var byteCount = 0
    var count: UInt64 = 0
    for try await batch in chunks {
      for chunk in batch {
        count += 1
        guard chunk.allSatisfy({ UInt64($0) == count }) else { throw Fault(.dataLoss, "out of order") }
        byteCount += chunk.count
      }
    }
    return PublishReceipt(
      sequence: count, digest: Digest(of: order.manifest.payload), bytesReceived: UInt64(byteCount),
      bytesTotal: 1)
  }

  func missingChunks(_ manifest: SignedBytes, _ call: ServerCall) async throws -> [Digest] {
    [Digest(of: manifest.payload)]
  }

  func rollback(_ order: SignedBytes, _ call: ServerCall) async throws -> FleetStatus {
    fleet("rollback \(order.keyID)")
  }

  func pin(_ order: PinOrder, _ call: ServerCall) async throws -> FleetStatus {
    fleet("pin \(order.region) \(order.sequence)")
  }

  func unpin(region: String, _ call: ServerCall) async throws -> FleetStatus { fleet("unpin \(region)") }

  func status(_ call: ServerCall) async throws -> FleetStatus { fleet("status") }

  func route(_ order: RoutingOrder, _ call: ServerCall) async throws -> RoutingTable {
    guard order.expectedEpoch == 1 else { throw Fault(.aborted, "somebody was faster") }
    return RoutingTable(epoch: 2, regions: [])
  }

  private func fleet(_ text: String) -> FleetStatus {
    FleetStatus(
      routing: RoutingTable(epoch: 1, regions: []),
      regions: [.init(name: "eu", target: 0, staging: 0, pinned: 0, halted: text, replicas: [])],
      snapshots: [])
  }
}
