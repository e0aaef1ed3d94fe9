import Base

@testable import Wire

/// What the fuzzed server answers: four shapes of echo, and every service of ours.
enum FuzzMethods {
  static let all = echo + services

  static let paths = all.map(\.path) + ["/none.None/None", "", "/"]

  private static let echo = [
    RPCMethod("/f.F/Echo", admits: .everyone, .unary { call, message in call.reply(message) }),
    RPCMethod("/f.F/Hold", admits: .everyone, .unary { call, _ in HeldCalls.current?.hold(call) }),
    RPCMethod(
      "/f.F/Describe", admits: .everyone,
      .unary { call, message in
        call.setInitialMetadata(call.metadata)
        call.setTrailer("x-text", "é")
        call.setTrailer("x-trailer-bin", bytes: message)
        if call.compressReplies() { return call.reply([UInt8](repeating: 7, count: 1500)) }
        call.fail(Fault(.aborted, String(decoding: message, as: UTF8.self), metadata: ["x-why": "%"]))
      }),
    RPCMethod(
      "/f.F/Chat", admits: .everyone,
      .streaming { call, requests, writer in
        call.compressReplies()
        for try await message in requests { try await writer.send(message) }
      }),
    RPCMethod(
      "/f.F/Expand", admits: .everyone, holdsDrain: false,
      .streaming { _, requests, writer in
        for try await message in requests {
          for byte in message.prefix(8) { try await writer.send([UInt8](repeating: byte, count: 100)) }
        }
      }),
  ]

  private static let digest = Digest(of: [1, 2, 3])
  private static let table = RoutingTable(
    epoch: 3, regions: [.init(name: "eu", failedOverTo: "", replicas: ["h:1"], fallbacks: [])])

  private static let services: [RPCMethod] = {
    var methods = RankingService.methods { request, _, done in
      done(
        .success(
          RankReply(
            requestID: request.requestID,
            rows: [
              .init(
                id: request.surface, name: request.profileID,
                copying: [(id: "t", name: "T", score: 1, source: .new)])
            ],
            snapshot: SnapshotName(
              sequence: 1, digest: "d", space: "s", model: "m", features: "f", policy: "p"),
            rungs: [.noHistory], region: "eu", replica: "eu-1", routingEpoch: 5)))
    }
    methods += EventsService.methods { events, _ in
      RecordReceipt(acceptedCount: events.count, duplicateCount: 0, position: 1)
    }
    methods += RoutingService.methods(
      get: { table },
      watch: {
        AsyncStream { continuation in
          continuation.yield(table)
          continuation.finish()
        }
      })
    methods += ChunksService.methods { asked, _ in asked == digest ? [1, 2, 3] : nil }
    methods += FleetService.methods { reports, writer, _ in
      for try await report in reports {
        guard case .hello(let hello) = report else { continue }
        try await writer.send(
          Directive(
            nonce: 1,
            body: .stage(
              manifest: SignedBytes(payload: [1], signature: [2], keyID: hello.region), peers: [hello.address]
            )))
      }
    }
    methods += OperationsService.methods(FuzzOperators())
    methods += HealthService(services: ["a", "b"]).methods
    return methods + ReflectionService(listing: methods).methods
  }()
}

private struct FuzzOperators: OperationsHandler {
  func publish(
    _ order: PublishOrder, chunks: PublishedChunks, _ call: ServerCall
  ) async throws -> PublishReceipt {
    var byteCount = 0
    for try await batch in chunks { byteCount += batch.reduce(0) { $0 + $1.count } }
    return PublishReceipt(
      sequence: 1, digest: Digest(of: order.manifest.payload), bytesReceived: UInt64(byteCount),
      bytesTotal: 1)
  }

  func missingChunks(_ manifest: SignedBytes, _ call: ServerCall) async throws -> [Digest] {
    [Digest(of: manifest.payload)]
  }

  func rollback(_ order: SignedBytes, _ call: ServerCall) async throws -> FleetStatus { fleet(order.keyID) }
  func pin(_ order: PinOrder, _ call: ServerCall) async throws -> FleetStatus { fleet(order.region) }
  func unpin(region: String, _ call: ServerCall) async throws -> FleetStatus { fleet(region) }
  func status(_ call: ServerCall) async throws -> FleetStatus { fleet("status") }

  func route(_ order: RoutingOrder, _ call: ServerCall) async throws -> RoutingTable {
    RoutingTable(epoch: order.expectedEpoch &+ 1, regions: [])
  }

  private func fleet(_ text: String) -> FleetStatus {
    FleetStatus(
      routing: RoutingTable(epoch: 1, regions: []),
      regions: [.init(name: "eu", target: 0, staging: 0, pinned: 0, halted: text, replicas: [])],
      snapshots: [])
  }
}
