import Base
import Synchronization
import Testing

@testable import Wire

/// Peers that make replies wait for them.
@Suite struct SlowReaderTests {
  private static func limits(strained: Int) -> WireLimits {
    var limits = WireLimits()
    limits.strainedBytes = strained
    limits.strainedReadMilliseconds = 20
    return limits
  }

  @Test(
    "while the server holds much, unread replies are given up, streaming ones aren't, and no more are made")
  func strained() async throws {
    let time = ManualTime(now: Timestamp(milliseconds: 0))
    let echo = try await EchoServer(limits: Self.limits(strained: 1 << 20), time: time)
    let peer = try await FramePeer(port: echo.port)
    try await peer.shakeHands([(4, 0)])
    let call = Raw.call(EchoServer.long)
    peer.send(Raw.headers(1, Raw.call(EchoServer.flood), ends: false) + Raw.data(1, framed([])))
    #expect(await eventually { echo.seen.sent.load(ordering: .relaxed) > 0 })
    peer.send(Raw.headers(3, call, ends: false) + Raw.data(3, framed([])))
    #expect(await eventually { echo.server.counters.bytesBuffered > EchoServer.longReply.count })
    time.advance(milliseconds: 20)
    #expect(try await peer.code(stream: 3) == HTTP2Code.enhanceYourCalm)
    #expect(await eventually { echo.server.counters.bytesBuffered < EchoServer.longReply.count })
    #expect(echo.server.counters.callsOpen == 1)
    // The server has room for one more, and then none for what would wait behind it.
    peer.send(Raw.headers(5, call, ends: false) + Raw.data(5, framed([])))
    #expect(await eventually { echo.server.counters.bytesBuffered > EchoServer.longReply.count })
    peer.send(Raw.headers(7, Raw.call(EchoServer.unary), ends: false) + Raw.data(7, framed([1])))
    #expect(try await peer.end(stream: 7)?.kind == 1)
    // Who reads again is welcome.
    peer.send(Raw.reset(1) + Raw.settings([(4, 0x7fff_ffff)]) + Raw.windowUpdate(0, 0x7000_0000))
    #expect(try await peer.end(stream: 5) != nil)
    peer.send(Raw.headers(9, Raw.call(EchoServer.unary), ends: false) + Raw.data(9, framed([1])))
    #expect(try await peer.next(kind: 0, stream: 9) != nil)
    peer.close()
    await echo.server.drain()
  }

  @Test("while the server holds little, replies wait for their reader, and more of them may")
  func unstrained() async throws {
    let time = ManualTime(now: Timestamp(milliseconds: 0))
    let echo = try await EchoServer(limits: Self.limits(strained: 8 << 20), time: time)
    let peer = try await FramePeer(port: echo.port)
    try await peer.shakeHands([(4, 0)])
    let call = Raw.call(EchoServer.long)
    peer.send(Raw.headers(1, call, ends: false) + Raw.data(1, framed([])))
    #expect(try await peer.next(kind: 1, stream: 1) != nil)
    time.advance(milliseconds: 100)
    // The same rule on another connection of a server that is under strain shows that the time has come.
    let busy = try await EchoServer(limits: Self.limits(strained: 1 << 20), time: time)
    let other = try await FramePeer(port: busy.port)
    try await other.shakeHands([(4, 0)])
    other.send(Raw.headers(1, call, ends: false) + Raw.data(1, framed([])))
    #expect(try await other.next(kind: 1, stream: 1) != nil)
    time.advance(milliseconds: 100)
    #expect(try await other.code(stream: 1) == HTTP2Code.enhanceYourCalm)
    peer.send(Raw.headers(3, call, ends: false) + Raw.data(3, framed([])))
    #expect(try await peer.next(kind: 1, stream: 3)?.endsStream == false)
    peer.send(Raw.settings([(4, 0x7fff_ffff)]) + Raw.windowUpdate(0, 0x7000_0000))
    #expect(try await peer.end(stream: 3) != nil)
    peer.close()
    other.close()
    await echo.server.drain()
    await busy.server.drain()
  }

  @Test(
    "a reader that takes 16 KiB in each interval is no slow one; one that takes less is, until it takes more")
  func pace() {
    var limits = WireLimits()
    limits.slowReaderBytesMax = 1000
    limits.strainedReadMilliseconds = 2_000
    var watch = ReaderWatch(limits)
    var now = Instant(nanoseconds: 1_000_000_000)
    var sent = 500
    #expect(watch.begin(now, sent: sent) == now.advanced(byMilliseconds: 2_000))
    for _ in 0..<3 {
      now = now.advanced(byMilliseconds: 2_000)
      sent += 16 << 10
      #expect(watch.look(now, waiting: 1001, sent: sent) == now.advanced(byMilliseconds: 2_000))
      #expect(!watch.hasStalled(sent: sent))
    }
    // A window opened by a byte now and then.
    now = now.advanced(byMilliseconds: 1_999)
    sent += 100
    #expect(watch.look(now, waiting: 1001, sent: sent) != nil)
    now = now.advanced(byMilliseconds: 1)
    #expect(watch.look(now, waiting: 1001, sent: sent) == nil)
    #expect(watch.hasStalled(sent: sent))
    #expect(watch.look(now, waiting: 1001, sent: sent) == nil)
    // Nothing waits any more: it isn't looked at again, and still has to take some.
    #expect(watch.look(now, waiting: 0, sent: sent) == .distantFuture)
    #expect(!watch.isWatching)
    #expect(watch.hasStalled(sent: sent + (16 << 10) - 1))
    #expect(!watch.hasStalled(sent: sent + (16 << 10)))
    // And begins anew.
    now = now.advanced(byMilliseconds: 60_000)
    #expect(watch.begin(now, sent: sent) == now.advanced(byMilliseconds: 2_000))
  }
}
