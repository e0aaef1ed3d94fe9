import Base
import Testing

@testable import Wire

/// Frames without end that do no work: each kind ends its connection, and no other.
@Suite struct FloodTests {
  struct Flood: Sendable, CustomTestStringConvertible {
    var name: String
    /// Bytes before the flood.
    var opening: [UInt8] = []
    /// The flood's frame number `index`, and what belongs to it.
    var frame: @Sendable (Int) -> [UInt8]
    /// Waits now and then until its streams were reset, so that they don't fill the connection.
    var isPaced = false
    var testDescription: String { name }
  }

  static let badFields = Raw.call(EchoServer.unary) + [("UPPER", "case")]

  static let floods = [
    Flood(name: "PING") { _ in Raw.ping() },
    Flood(name: "PING answers that nobody asked for") { _ in Raw.ping(acknowledges: true) },
    Flood(name: "SETTINGS") { _ in Raw.settings() },
    Flood(name: "PRIORITY") { index in Raw.priority(Int32(index * 2 + 1)) },
    Flood(name: "empty DATA", opening: Raw.headers(1, Raw.call(EchoServer.collect), ends: false)) { _ in
      Raw.data(1, [], ends: false)
    },
    Flood(name: "DATA of padding", opening: Raw.headers(1, Raw.call(EchoServer.collect), ends: false)) { _ in
      Raw.frame(0, flags: 8, stream: 1, [3, 0, 0, 0])
    },
    Flood(name: "unknown frames") { index in Raw.frame(0x40 + UInt8(index % 8), stream: 0, [1, 2, 3]) },
    Flood(name: "GOAWAY", opening: Raw.headers(1, Raw.call(EchoServer.collect), ends: false)) { _ in
      Raw.frame(7, stream: 0, Raw.number(0) + Raw.number(0))
    },
    Flood(name: "WINDOW_UPDATE") { _ in Raw.windowUpdate(0, 1) },
    Flood(name: "WINDOW_UPDATE on a stream", opening: Raw.headers(1, Raw.call(EchoServer.hold), ends: false))
    {
      _ in Raw.windowUpdate(1, 1)
    },
    Flood(name: "rapid reset") { index in
      let stream = Int32(index * 2 + 1)
      return Raw.headers(stream, Raw.call(EchoServer.hang), ends: false) + Raw.reset(stream)
    },
    Flood(name: "RST_STREAM on a closed stream", opening: Raw.headers(1, Raw.call("/no/Method"))) { _ in
      Raw.reset(1)
    },
    Flood(name: "CONTINUATION", opening: Raw.headers(1, ends: false, endsHeaders: false)) { _ in
      Raw.frame(9, stream: 1)
    },
    Flood(
      name: "header blocks that end in a reset",
      frame: { index in Raw.headers(Int32(index * 2 + 1), badFields) }, isPaced: true),
    Flood(
      name: "streams that the peer makes us reset",
      frame: { index in
        let stream = Int32(index * 2 + 1)
        return Raw.headers(stream, Raw.call(EchoServer.hang), ends: false)
          + Raw.windowUpdate(stream, 0x7fff_ffff)
      }, isPaced: true),
    Flood(name: "header lists far over the limit") { index in
      let fields = (0..<20).map { ("x-\($0)", String(repeating: "a", count: 2000)) }
      let block = Raw.block(Raw.call(EchoServer.unary) + fields)
      let stream = Int32(index * 2 + 1)
      return Raw.frame(1, flags: 1, stream: stream, Array(block[..<16_000]))
        + Raw.frame(9, stream: stream, Array(block[16_000..<32_000]))
        + Raw.frame(9, flags: 4, stream: stream, Array(block[32_000...]))
    },
  ]

  @Test("a flood ends its connection within a thousand frames, and no other", arguments: floods)
  func flood(_ flood: Flood) async throws {
    var limits = WireLimits()
    limits.lingerMilliseconds = 50
    // Time stands still: nothing is forgiven.
    let echo = try await EchoServer(limits: limits, time: ManualTime(now: Timestamp(milliseconds: 0)))
    let good = try await FramePeer(port: echo.port)
    try await good.shakeHands()
    let peer = try await FramePeer(port: echo.port)
    try await peer.shakeHands()
    peer.send(flood.opening)
    for index in 0..<1000 {
      peer.send(flood.frame(index))
      if flood.isPaced, index % 50 == 49 { _ = try await peer.next(kind: 3, stream: Int32(index * 2 + 1)) }
    }
    let goAway = try #require(try await peer.goAway())
    #expect(goAway.code == HTTP2Code.enhanceYourCalm)
    #expect(goAway.text.hasPrefix("too"), "\(goAway.text)")
    good.send(Raw.headers(1, Raw.call(EchoServer.unary), ends: false) + Raw.data(1, framed([7])))
    #expect(try await good.end(stream: 1) != nil)
    #expect(await eventually { echo.server.counters.connectionsOpen == 1 })
    #expect(echo.server.counters.callsOpen == 0)
    good.close()
    await echo.server.drain()
  }

  @Test("who is sent much may answer much: windows in small steps, and PINGs all along")
  func honest() async throws {
    let echo = try await EchoServer(time: ManualTime(now: Timestamp(milliseconds: 0)))
    let peer = try await FramePeer(port: echo.port)
    try await peer.shakeHands()
    for index in 0..<4 {
      let stream = Int32(index * 2 + 1)
      peer.send(Raw.headers(stream, Raw.call(EchoServer.long), ends: false) + Raw.data(stream, framed([])))
      var isOver = false
      var isAsking = false
      while !isOver {
        let frame = try #require(try await peer.next())
        #expect(frame.kind != 7 && frame.kind != 3, "\(frame.text)")
        isOver = frame.endsStream
        if frame.kind == 6 { isAsking = false }
        guard frame.kind == 0, !isOver else { continue }
        // As who measures the line: one at a time.
        if !isAsking { peer.send(Raw.ping()) }
        isAsking = true
        let count = UInt32(frame.payload.count)
        peer.send(Raw.windowUpdate(0, count) + Raw.windowUpdate(stream, count))
      }
    }
    peer.close()
    await echo.server.drain()
  }

  @Test("a client that gives up half of its calls is let be")
  func cancels() async throws {
    let echo = try await EchoServer(time: ManualTime(now: Timestamp(milliseconds: 0)))
    let peer = try await FramePeer(port: echo.port)
    try await peer.shakeHands()
    for index in 0..<2000 {
      let cancelled = Int32(index * 4 + 1)
      let answered = Int32(index * 4 + 3)
      peer.send(
        Raw.headers(cancelled, Raw.call(EchoServer.hang), ends: false) + Raw.data(cancelled, framed([]))
          + Raw.headers(answered, Raw.call(EchoServer.unary), ends: false) + Raw.data(answered, framed([1]))
          + Raw.reset(cancelled))
      #expect(try await peer.end(stream: answered) != nil)
    }
    #expect(await eventually { echo.server.counters.callsOpen == 0 })
    peer.close()
    await echo.server.drain()
  }

  @Test("answers that a peer doesn't read don't pile up")
  func unread() async throws {
    let echo = try await EchoServer()
    let peer = try await FramePeer(port: echo.port)
    try await peer.shakeHands()
    // Replies fill the way back, so that nothing leaves any more.
    peer.send(Raw.settings([(4, 0x7fff_ffff)]) + Raw.windowUpdate(0, 0x7000_0000))
    for index in 0..<20 {
      let stream = Int32(index * 2 + 1)
      peer.send(Raw.headers(stream, Raw.call(EchoServer.long), ends: false) + Raw.data(stream, framed([])))
    }
    for _ in 0..<2000 { peer.send(Raw.ping() + Raw.settings()) }
    #expect(await eventually { echo.server.counters.connectionsOpen == 0 })
    #expect(echo.server.counters.bytesBuffered == 0)
    await echo.server.drain()
  }

  @Test("PINGs without calls, or too close together, end in too_many_pings")
  func pings() async throws {
    let time = ManualTime(now: Timestamp(milliseconds: 0))
    let echo = try await EchoServer(time: time)
    let peer = try await FramePeer(port: echo.port)
    try await peer.shakeHands()
    for _ in 0..<5 {
      time.advance(milliseconds: 300_000)
      peer.send(Raw.ping())
      #expect(try await peer.next(kind: 6) != nil)
    }
    // With a call open, ten seconds are enough.
    peer.send(Raw.headers(1, Raw.call(EchoServer.hold), ends: false) + Raw.data(1, framed([])))
    #expect(await eventually { echo.seen.heldCount == 1 })
    for _ in 0..<5 {
      time.advance(milliseconds: 10_000)
      peer.send(Raw.ping())
      #expect(try await peer.next(kind: 6) != nil)
    }
    // Two strikes; then the reply, which takes them back; then three more.
    for _ in 0..<2 {
      peer.send(Raw.ping())
      #expect(try await peer.next(kind: 6) != nil)
    }
    echo.seen.letGo()
    #expect(try await peer.end(stream: 1) != nil)
    for _ in 0..<3 {
      peer.send(Raw.ping())
      #expect(try await peer.next(kind: 6) != nil)
    }
    peer.send(Raw.ping())
    let goAway = try #require(try await peer.goAway())
    #expect(goAway.code == HTTP2Code.enhanceYourCalm)
    #expect(goAway.text == "too_many_pings")
    await echo.server.drain()
  }

  @Test("requests that were under way when a server began to leave are no flood")
  func leaving() async throws {
    let echo = try await EchoServer()
    let peer = try await FramePeer(port: echo.port)
    try await peer.shakeHands()
    peer.send(Raw.headers(1, Raw.call(EchoServer.hold), ends: false) + Raw.data(1, framed([])))
    #expect(await eventually { echo.seen.heldCount == 1 })
    let draining = Task { await echo.server.drain() }
    // The PING that goes with the first GOAWAY; the second follows its answer.
    let ping = try #require(try await peer.next(kind: 6))
    #expect(try await peer.next(kind: 7) != nil)
    peer.send(Raw.frame(6, flags: 1, stream: 0, ping.payload))
    #expect(try await peer.next(kind: 7) != nil)
    for index in 0..<1000 { peer.send(Raw.headers(Int32(index * 2 + 3), Raw.call(EchoServer.unary))) }
    echo.seen.letGo()
    #expect(try await peer.end(stream: 1) != nil)
    #expect(try await peer.goAway()?.code == HTTP2Code.noError)
    await draining.value
  }

  @Test("a client leaves a server that floods it")
  func floodedClient() async throws {
    let server = try await ScriptedServer(opening: { session in
      for _ in 0..<500 { session.ping(7) }
    }) { _, _ in }
    let client = try server.client()
    let failure = await outcome { () throws(CallFailure) in try await client.unary("/test.Echo/Unary", []) }
    #expect(failure?.code == .unavailable)
    await client.close()
    await server.close()
  }
}
