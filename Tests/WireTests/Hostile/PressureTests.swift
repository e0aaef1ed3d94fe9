import Base
import Testing

@testable import Wire

/// What all connections of a server may hold together.
@Suite struct PressureTests {
  @Test("over the server's limit those that hold much are refused more, and those that hold little are not")
  func shared() async throws {
    var limits = WireLimits()
    limits.bufferedBytesMax = 1 << 20
    let echo = try await EchoServer(limits: limits)
    let greedy = try await FramePeer(port: echo.port)
    try await greedy.shakeHands([(4, 0)])
    let call = Raw.call(EchoServer.long)
    greedy.send(Raw.headers(1, call, ends: false) + Raw.data(1, framed([])))
    #expect(await eventually { echo.server.counters.bytesBuffered > 1 << 20 })
    greedy.send(Raw.headers(3, call, ends: false) + Raw.data(3, framed([])))
    // Refused in headers that are trailers, too: they need no window.
    #expect(try await greedy.end(stream: 3)?.kind == 1)
    let modest = try await FramePeer(port: echo.port)
    try await modest.shakeHands()
    modest.send(Raw.headers(1, Raw.call(EchoServer.unary), ends: false) + Raw.data(1, framed([1])))
    #expect(try await modest.next(kind: 0, stream: 1) != nil)
    greedy.close()
    modest.close()
    await echo.server.drain()
  }
}
