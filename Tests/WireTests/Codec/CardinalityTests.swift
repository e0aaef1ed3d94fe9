import Base
import Testing

@testable import Wire

/// A call that should have one reply: none, or more, is unimplemented, as gRPC has it.
@Suite struct CardinalityTests {
  /// Sends as many replies as the first request's first byte says.
  private static let replies = RPCMethod.streaming(.record) { _, requests, writer in
    for try await message in requests {
      for _ in 0..<(message.first ?? 0) { try await writer.send([]) }
    }
  }

  private func start() async throws -> (Server, ClientConnection) {
    let server = Server(
      configuration: ServerConfiguration(
        host: "127.0.0.1", port: 0, tls: nil, anonymousRoles: [.edgeClient]),
      methods: [Self.replies], time: SystemTime())
    let (host, port) = try await server.start()
    return (
      server,
      try ClientConnection(host: host, port: port, tls: nil, time: SystemTime(), loops: sharedLoops)
    )
  }

  @Test("a client-streaming call has one reply")
  func replies() async throws {
    let (server, client) = try await start()
    for count in UInt8(0)...2 {
      let failure = await outcome { () throws(CallFailure) in
        var left: [[UInt8]] = [[count]]
        return try await client.clientStreaming(.record, deadline: nil) {
          left.popLast()
        } decode: { bytes throws(Fault) in
          bytes
        }
      }
      #expect(failure?.code == (count == 1 ? nil : .unimplemented), "\(count)")
    }
    await client.close()
    await server.drain()
  }
}
