import Base
import Testing

@testable import Wire

@Suite struct HealthTests {
  private func service(_ name: String) -> [UInt8] {
    var writer = ProtoWriter()
    writer.text(1, name)
    return writer.bytes
  }

  @Test("health answers for the server, for a service, and NOT_FOUND for one it doesn't know")
  func check() async throws {
    let health = HealthService(services: ["a.B"])
    let (server, client) = try await serve(health.methods)
    let path = "/grpc.health.v1.Health/Check"
    #expect(try await client.unary(path, []).message == [8, 2])
    health.set(.serving, for: "a.B")
    #expect(try await client.unary(path, service("a.B")).message == [8, 1])
    #expect(try await client.unary(path, []).message == [8, 2])
    let failure = await outcome { () throws(CallFailure) in try await client.unary(path, service("x")) }
    #expect(failure?.code == .notFound)
    let bad = await outcome { () throws(CallFailure) in try await client.unary(path, [10, 2, 0xff, 0xfe]) }
    #expect(bad?.code == .invalidArgument)
    await client.close()
    await server.drain()
  }

  @Test("health lists up to a hundred services")
  func list() async throws {
    let path = "/grpc.health.v1.Health/List"
    let (server, client) = try await serve(HealthService(services: ["a.B"], status: .serving).methods)
    let expected: [UInt8] = [10, 4, 18, 2, 8, 1] + [10, 9, 10, 3] + Array("a.B".utf8) + [18, 2, 8, 1]
    #expect(try await client.unary(path, []).message == expected)
    await client.close()
    await server.drain()
    let many = HealthService(services: (0..<100).map { "s\($0)" })
    let (crowded, second) = try await serve(many.methods)
    let failure = await outcome { () throws(CallFailure) in try await second.unary(path, []) }
    #expect(failure?.code == .resourceExhausted)
    await second.close()
    await crowded.drain()
  }

  @Test("a watcher of an unknown service hears SERVICE_UNKNOWN, and then what it becomes")
  func watch() async throws {
    let health = HealthService(services: [])
    let (server, client) = try await serve(health.methods)
    let call = try await client.open("/grpc.health.v1.Health/Watch")
    try await call.send(service("later"))
    var responses = call.responses.makeAsyncIterator()
    #expect(try await responses.next() == [8, 3])
    health.set(.serving, for: "later")
    #expect(try await responses.next() == [8, 1])
    call.cancel()
    await client.close()
    await server.drain()
  }
}

/// A server of these methods, and a client of it.
func serve(_ methods: [RPCMethod]) async throws -> (Server, ClientConnection) {
  let server = Server(
    configuration: ServerConfiguration(host: "127.0.0.1", port: 0, tls: nil), methods: methods,
    time: SystemTime())
  let (host, port) = try await server.start()
  return (
    server,
    try ClientConnection(host: host, port: port, tls: nil, time: SystemTime(), loops: sharedLoops)
  )
}
