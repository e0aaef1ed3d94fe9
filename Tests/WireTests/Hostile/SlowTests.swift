import Base
import Testing

@testable import Wire

/// Peers that begin and don't go on.
@Suite struct SlowTests {
  private static var limits: WireLimits {
    var limits = WireLimits()
    limits.handshakeMilliseconds = 200
    limits.headersMilliseconds = 200
    limits.bodyMilliseconds = 200
    limits.readMilliseconds = 200
    limits.keepaliveMilliseconds = 100
    limits.keepaliveAnswerMilliseconds = 60_000
    limits.lingerMilliseconds = 50
    return limits
  }

  @Test("a preface or a TLS handshake that breaks off is closed", arguments: [false, true])
  func preface(isSecure: Bool) async throws {
    let fixture = try TLSTests.Fixture()
    let echo = try await EchoServer(tls: isSecure ? fixture.server.configuration() : nil, limits: Self.limits)
    let raw = try RawPeer(port: echo.port, speaks: false)
    raw.send(isSecure ? [22, 3, 1, 0, 200, 1] : Array(Raw.preface.prefix(10)))
    #expect(await raw.waitForEnd())
    #expect(await eventually { echo.server.counters.connectionsRefused == 1 })
    raw.close()
    await echo.server.drain()
  }

  struct Part: Sendable, CustomTestStringConvertible {
    var testDescription: String
    var bytes: [UInt8]
  }

  static let parts = [
    Part(testDescription: "a header block without its last frame", bytes: Raw.headers(3, endsHeaders: false)),
    Part(testDescription: "half a HEADERS frame", bytes: Raw.headers(3).dropLast(5)),
    Part(testDescription: "the head of HEADERS alone", bytes: Array(Raw.headers(3).prefix(9))),
    Part(testDescription: "half the head of a frame", bytes: Array(Raw.headers(3).prefix(4))),
    Part(
      testDescription: "half a CONTINUATION",
      bytes: Raw.headers(3, endsHeaders: false) + Raw.continuation(3, [("a", "b")]).dropLast(1)),
    Part(testDescription: "half a PING", bytes: Raw.ping().dropLast(1)),
  ]

  @Test(
    "a frame or a header block that stays half is closed, however busy the connection was", arguments: parts)
  func half(_ part: Part) async throws {
    let echo = try await EchoServer(limits: Self.limits)
    let peer = try await FramePeer(port: echo.port)
    try await peer.shakeHands()
    peer.send(Raw.headers(1, Raw.call(EchoServer.hang), ends: false) + Raw.data(1, framed([])))
    #expect(await eventually { echo.seen.has("hang began") })
    peer.send(part.bytes)
    #expect(try await peer.goAway() == nil)
    #expect(await eventually { echo.seen.has("hang cancelled") })
    await echo.server.drain()
  }

  @Test(
    "a body that stops, or comes by single bytes, fails its call; a stream between messages may be silent")
  func bodies() async throws {
    let echo = try await EchoServer(limits: Self.limits)
    let peer = try await FramePeer(port: echo.port)
    try await peer.shakeHands()
    peer.send(Raw.headers(1, Raw.call(EchoServer.chat), ends: false) + Raw.data(1, framed([1]), ends: false))
    #expect(try await peer.next(kind: 0, stream: 1) != nil)
    peer.send(Raw.headers(3, Raw.call(EchoServer.unary), ends: false))
    peer.send(
      Raw.headers(5, Raw.call(EchoServer.unary), ends: false) + Raw.data(5, [0, 0, 0, 9, 0], ends: false))
    peer.send(Raw.headers(7, Raw.call(EchoServer.chat), ends: false))
    peer.send(Raw.data(7, framed([2]) + [0, 0, 0], ends: false))
    peer.send(Raw.headers(9, Raw.post, ends: false))
    for stream in [Int32(3), 5, 7] { #expect(try await peer.code(stream: stream) == HTTP2Code.noError) }
    // Not gRPC: answered, and told that nothing more is wanted.
    #expect(try await peer.code(stream: 9) == HTTP2Code.noError)
    #expect(echo.server.counters.callsFailed == 3)
    #expect(echo.server.counters.callsOpen == 1)
    peer.send(Raw.data(1, framed([3])))
    #expect(try await peer.end(stream: 1) != nil)
    // A byte now and then is no progress.
    peer.send(
      Raw.headers(11, Raw.call(EchoServer.unary), ends: false) + Raw.data(11, [0, 0, 0, 9, 0], ends: false))
    while echo.server.counters.callsFailed == 3 {
      peer.send(Raw.data(11, [1], ends: false))
      try await Task.sleep(for: .milliseconds(10))
    }
    peer.close()
    await echo.server.drain()
  }

  @Test("a reply that nobody reads is given up, streaming or not, and its bytes with it")
  func readers() async throws {
    let echo = try await EchoServer(limits: Self.limits)
    let peer = try await FramePeer(port: echo.port)
    try await peer.shakeHands([(4, 0)])
    peer.send(Raw.headers(1, Raw.call(EchoServer.long), ends: false) + Raw.data(1, framed([])))
    peer.send(Raw.headers(3, Raw.call(EchoServer.flood), ends: false) + Raw.data(3, framed([])))
    #expect(try await peer.code(stream: 1) == HTTP2Code.cancel)
    #expect(try await peer.code(stream: 3) == HTTP2Code.cancel)
    #expect(
      await eventually { echo.server.counters.bytesBuffered == 0 && echo.server.counters.callsOpen == 0 })
    peer.send(Raw.settings([(4, 65_535)]))
    peer.send(Raw.headers(5, Raw.call(EchoServer.unary), ends: false) + Raw.data(5, framed([1])))
    #expect(try await peer.end(stream: 5) != nil)
    peer.close()
    await echo.server.drain()
  }

  @Test("a connection whose bytes nobody reads is closed, though its peer goes on talking")
  func deafPeer() async throws {
    let echo = try await EchoServer(limits: Self.limits)
    let peer = try await FramePeer(port: echo.port)
    try await peer.shakeHands([(4, 0x7fff_ffff)])
    peer.send(Raw.windowUpdate(0, 0x7000_0000))
    for index in 0..<8 {
      let stream = Int32(index * 2 + 1)
      peer.send(Raw.headers(stream, Raw.call(EchoServer.long), ends: false) + Raw.data(stream, framed([])))
    }
    let open = Int32(101)
    peer.send(Raw.headers(open, Raw.call(EchoServer.collect), ends: false))
    while echo.server.counters.connectionsOpen > 0 {
      peer.send(Raw.data(open, framed([1]), ends: false))
      try await Task.sleep(for: .milliseconds(20))
    }
    #expect(echo.server.counters.bytesBuffered == 0)
    await echo.server.drain()
  }

  @Test("a peer that says something but answers no PING, and then goes silent, is given up")
  func unanswered() {
    var limits = WireLimits()
    limits.keepaliveMilliseconds = 10
    limits.keepaliveAnswerMilliseconds = 15
    var silence = PeerSilence(limits)
    var now = Instant(nanoseconds: 1_000_000_000)
    _ = silence.begin(now)
    now = now.advanced(byMilliseconds: 10)
    var look = silence.look(now)
    #expect(look.asks)
    silence.heard()
    for step in 0..<4 {
      now = now.advanced(byMilliseconds: 10)
      look = silence.look(now)
      // Heard at the first; asked again at the second; the fourth is past what it had.
      #expect(look.asks == (step == 1))
      #expect((look.next == nil) == (step == 3))
    }
  }

  @Test("what is owed must move by a kibibyte in each interval")
  func stalls() {
    var watch = StallWatch(1000)
    var now = Instant(nanoseconds: 1_000_000_000)
    #expect(watch.look(now, isOwed: false, total: 0) == .distantFuture)
    #expect(watch.look(now, isOwed: true, total: 0) == now.advanced(byMilliseconds: 1000))
    for step in 1...10 {
      now = now.advanced(byMilliseconds: 900)
      #expect(watch.look(now, isOwed: true, total: step * 1024) == now.advanced(byMilliseconds: 1000))
    }
    now = now.advanced(byMilliseconds: 999)
    #expect(watch.look(now, isOwed: true, total: 10 * 1024 + 1023) != nil)
    now = now.advanced(byMilliseconds: 1)
    #expect(watch.look(now, isOwed: true, total: 10 * 1024 + 1023) == nil)
    var since = StallWatch(1000, since: now)
    #expect(since.look(now.advanced(byMilliseconds: 1000), isOwed: true, total: 0) == nil)
  }
}
