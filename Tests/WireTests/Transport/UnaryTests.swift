import Base
import Testing

@testable import Wire

@Suite struct UnaryTests {
  @Test func aUnaryCallGetsItsAnswer() async throws {
    let echo = try await EchoServer()
    let client = try echo.client()
    for count in [0, 1, 100, 16_384, 100_000, 3_000_000] {
      let message = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 31) }
      let reply = try await client.unary(EchoServer.unary, message)
      #expect(reply.message == message)
    }
    await client.close()
    await echo.server.drain()
    #expect(echo.server.counters.callsStarted == 6)
    #expect(echo.server.counters.callsFailed == 0)
    #expect(echo.server.counters.callsOpen == 0)
    #expect(echo.server.counters.bytesBuffered == 0)
  }
}
