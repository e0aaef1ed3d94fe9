import Base
import Testing

@testable import Wire

@Suite struct AccessTableTests {
  /// Said a second time, so that a change of the table is a change of this too.
  static let expected: [String: String] = [
    "/marquee.v1.Ranking/Rank": "edge-client ops",
    "/marquee.v1.Events/Record": "edge-client ops",
    "/marquee.v1.Routing/GetRouting": "control edge edge-client ops",
    "/marquee.v1.Routing/WatchRouting": "control edge edge-client ops",
    "/marquee.v1.Chunks/Fetch": "control edge",
    "/marquee.v1.Fleet/Follow": "edge",
    "/marquee.v1.Operations/Publish": "ops",
    "/marquee.v1.Operations/MissingChunks": "ops",
    "/marquee.v1.Operations/Rollback": "ops",
    "/marquee.v1.Operations/Pin": "ops",
    "/marquee.v1.Operations/Unpin": "ops",
    "/marquee.v1.Operations/Status": "ops",
    "/marquee.v1.Operations/Route": "ops",
    "/grpc.health.v1.Health/Check": "everyone",
    "/grpc.health.v1.Health/List": "everyone",
    "/grpc.health.v1.Health/Watch": "everyone",
    "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo": "everyone",
    "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo": "everyone",
  ]

  /// What a node registers, of every service that there is.
  static var registered: [RPCMethod] {
    let nothing = Fault(.unimplemented, "reached")
    let services =
      RankingService.methods { _, _, done in done(.failure(nothing)) }
      + EventsService.methods { _, _ in throw nothing }
      + RoutingService.methods(get: { throw nothing }, watch: { AsyncStream { $0.finish() } })
      + ChunksService.methods { _, _ in throw nothing } + FleetService.methods { _, _, _ in throw nothing }
      + OperationsService.methods(NoOperations()) + HealthService(services: []).methods
    return services + ReflectionService(listing: services).methods
  }

  @Test("every method that a node registers is in the table, and nothing else is")
  func complete() {
    #expect(Set(Self.registered.map(\.path)) == Set(AccessTable.fleet.paths))
    #expect(Set(AccessTable.fleet.paths) == Set(Self.expected.keys))
    for method in Self.registered {
      #expect(method.admits == AccessTable.fleet[method.path], "\(method.path)")
    }
  }

  @Test(
    "each role, and a caller without one, reaches the methods of its column and no other",
    arguments: Role.allCases.map { $0 as Role? } + [nil])
  func matrix(_ role: Role?) async throws {
    let seen = Seen()
    let methods = AccessTable.fleet.paths.map { path in
      RPCMethod(
        path,
        .unary { call, message in
          seen.note(path)
          call.reply(message)
        })
    }
    let lines = AuditLines()
    let server = Server(
      configuration: ServerConfiguration(
        host: "127.0.0.1", port: 0, tls: nil, anonymousRoles: role.map { [$0] } ?? []),
      methods: methods, time: SystemTime(), audit: lines.log(linesPerCauseMax: 1))
    let (host, port) = try await server.start()
    let client = try ClientConnection(
      host: host, port: port, tls: nil, time: SystemTime(), loops: sharedLoops)
    for (path, roles) in Self.expected {
      let isAdmitted =
        roles == "everyone" || role.map { roles.split(separator: " ").contains("\($0.rawValue)") } ?? false
      let failure = await outcome { () throws(CallFailure) in try await client.unary(path, []) }
      #expect(
        failure?.code == (isAdmitted ? nil : .permissionDenied), "\(path) as \(role?.rawValue ?? "nobody")")
      #expect(seen.has(path) == isAdmitted)
      #expect(lines.has("method_denied", "\"method\":\"\(path)\"") == !isAdmitted)
    }
    await client.close()
    await server.drain()
  }

  @Test("a method that the table doesn't name is for nobody, whoever asks")
  func unnamed() async throws {
    let method = RPCMethod("/marquee.v1.Operations/New", .unary { call, message in call.reply(message) })
    #expect(method.admits == .nobody)
    let open = Server(
      configuration: ServerConfiguration(
        host: "127.0.0.1", port: 0, tls: nil, anonymousRoles: Set(Role.allCases)), methods: [method],
      time: SystemTime())
    let (host, port) = try await open.start()
    let client = try ClientConnection(
      host: host, port: port, tls: nil, time: SystemTime(), loops: sharedLoops)
    let failure = await outcome { () throws(CallFailure) in try await client.unary(method.path, []) }
    #expect(failure?.code == .permissionDenied)
    await client.close()
    await open.drain()
  }
}

private struct NoOperations: OperationsHandler {
  private let nothing = Fault(.unimplemented, "reached")

  func publish(
    _ order: PublishOrder, chunks: PublishedChunks, _ call: ServerCall
  ) async throws -> PublishReceipt { throw nothing }
  func missingChunks(_ manifest: SignedBytes, _ call: ServerCall) async throws -> [Digest] { throw nothing }
  func rollback(_ order: SignedBytes, _ call: ServerCall) async throws -> FleetStatus { throw nothing }
  func pin(_ order: PinOrder, _ call: ServerCall) async throws -> FleetStatus { throw nothing }
  func unpin(region: String, _ call: ServerCall) async throws -> FleetStatus { throw nothing }
  func status(_ call: ServerCall) async throws -> FleetStatus { throw nothing }
  func route(_ order: RoutingOrder, _ call: ServerCall) async throws -> RoutingTable { throw nothing }
}
