import Base
import Testing

@testable import Wire

/// Deadlines, cancellation and lost connections.
@Suite struct EndingTests {
  @Test("a passed deadline ends the call on both sides, and the work hears of it")
  func deadline() async throws {
    let echo = try await EchoServer()
    let client = try echo.client()
    _ = try await client.unary(EchoServer.unary, [])
    let failure = await outcome { () throws(CallFailure) in
      try await client.unary(
        EchoServer.hang, [], deadline: SystemTime().instant.advanced(byMilliseconds: 500))
    }
    #expect(failure?.code == .deadlineExceeded)
    #expect(await eventually { echo.seen.has("hang cancelled") })
    #expect(await eventually { echo.server.counters.callsOpen == 0 })
    await client.close()
    await echo.server.drain()
  }

  @Test("a streaming handler's task is cancelled when the deadline passes")
  func streamingDeadline() async throws {
    let echo = try await EchoServer()
    let client = try echo.client()
    _ = try await client.unary(EchoServer.unary, [])
    let call = try await client.open(
      EchoServer.hangStreaming, deadline: SystemTime().instant.advanced(byMilliseconds: 500))
    await #expect(throws: Fault.self) { for try await _ in call.responses {} }
    #expect(call.failure?.code == .deadlineExceeded)
    #expect(await eventually { echo.seen.has("streaming cancelled") && echo.seen.has("streaming ended") })
    await client.close()
    await echo.server.drain()
  }

  @Test("the server's own clock ends a call whose client never does")
  func serverDeadline() async throws {
    let echo = try await EchoServer()
    let raw = try RawPeer(port: echo.port)
    raw.request(EchoServer.hang, extra: [("grpc-timeout", "30m")], body: framed([]), stream: 1)
    let reply = try await raw.receive(stream: 1)
    #expect(reply.field("grpc-status") == "4")
    #expect(echo.seen.has("hang cancelled"))
    // A request that has not ended yet is reset, too; a reader that takes nothing gets the reset alone.
    raw.request(EchoServer.flood, extra: [("grpc-timeout", "100m")], body: framed([]), stream: 3, ends: false)
    #expect(try await raw.reset(stream: 3) == HTTP2Code.cancel)
    raw.close()
    await echo.server.drain()
  }

  @Test("a deadline passes for calls that still wait for a place, too")
  func queuedDeadline() async throws {
    var limits = WireLimits()
    limits.concurrentStreamsMax = 1
    let echo = try await EchoServer(limits: limits)
    let client = try echo.client()
    let held = Task { try await client.unary(EchoServer.hold, []) }
    #expect(await eventually { echo.seen.heldCount == 1 })
    let failure = await outcome { () throws(CallFailure) in
      try await client.unary(
        EchoServer.unary, [], deadline: SystemTime().instant.advanced(byMilliseconds: 30))
    }
    #expect(failure?.code == .deadlineExceeded)
    #expect(failure?.isSafeToRetry == true)
    #expect(echo.server.counters.callsStarted == 1)
    echo.seen.letGo()
    _ = try await held.value
    await client.close()
    await echo.server.drain()
  }

  @Test("cancelling the caller's task cancels the call on the server")
  func cancelledTask() async throws {
    let echo = try await EchoServer()
    let client = try echo.client()
    let task = Task {
      await outcome { () throws(CallFailure) in try await client.unary(EchoServer.hang, []) }
    }
    #expect(await eventually { echo.seen.has("hang began") })
    task.cancel()
    #expect(await task.value?.code == .cancelled)
    #expect(await eventually { echo.seen.has("hang cancelled") })
    await client.close()
    await echo.server.drain()
  }

  @Test("letting go of a streaming call cancels it")
  func abandonedCall() async throws {
    let echo = try await EchoServer()
    let client = try echo.client()
    do {
      let call = try await client.open(EchoServer.hangStreaming)
      try await call.send([1])
      #expect(await eventually { echo.seen.has("streaming began") })
    }
    #expect(await eventually { echo.seen.has("streaming cancelled") && echo.seen.has("streaming ended") })
    await client.close()
    await echo.server.drain()
  }

  @Test("a lost connection cancels its calls on the server")
  func lostClient() async throws {
    let echo = try await EchoServer()
    let raw = try RawPeer(port: echo.port)
    raw.request(EchoServer.hang, body: framed([]), stream: 1)
    raw.request(EchoServer.hangStreaming, body: framed([]), stream: 3)
    #expect(await eventually { echo.seen.has("hang began") && echo.seen.has("streaming began") })
    raw.close()
    #expect(await eventually { echo.seen.has("hang cancelled") && echo.seen.has("streaming ended") })
    #expect(await eventually { echo.server.counters.connectionsOpen == 0 })
    #expect(echo.server.counters.bytesBuffered == 0)
    await echo.server.drain()
  }

  @Test("a server that can't be reached is unavailable, and the call may be made again")
  func unreachable() async throws {
    let echo = try await EchoServer()
    await echo.server.drain()
    let client = try echo.client()
    for _ in 0..<3 {
      let failure = await outcome { () throws(CallFailure) in try await client.unary(EchoServer.unary, []) }
      #expect(failure?.code == .unavailable)
      #expect(failure?.isSafeToRetry == true)
    }
    await client.close()
    let failure = await outcome { () throws(CallFailure) in try await client.unary(EchoServer.unary, []) }
    #expect(failure?.code == .unavailable)
  }

  @Test("a silent peer is noticed by keepalive")
  func silentPeer() async throws {
    let silent = try SilentServer()
    let client = try ClientConnection(
      host: "127.0.0.1", port: silent.port, tls: nil, time: SystemTime(), loops: sharedLoops,
      keepalive: Keepalive(intervalMilliseconds: 20, timeoutMilliseconds: 20))
    let failure = await outcome { () throws(CallFailure) in try await client.unary(EchoServer.unary, []) }
    #expect(failure?.code == .unavailable)
    #expect(failure?.isSafeToRetry == false)
    await client.close()
    silent.close()
  }

  @Test("a server closes a peer that answers no PING, and cancels its calls; one that answers keeps them")
  func deadClient() async throws {
    var limits = WireLimits()
    limits.keepaliveMilliseconds = 20
    limits.keepaliveAnswerMilliseconds = 500
    let echo = try await EchoServer(limits: limits)
    let client = try echo.client()
    let held = Task { try await client.unary(EchoServer.hold, []).message }
    #expect(await eventually { echo.seen.heldCount == 1 })
    // Reads nothing, and so answers nothing: as a process that is stopped.
    let raw = try RawPeer(port: echo.port)
    raw.request(EchoServer.hang, body: framed([]), stream: 1)
    #expect(await eventually { echo.seen.has("hang cancelled") })
    echo.seen.letGo()
    #expect(try await held.value == [1])
    raw.close()
    await client.close()
    await echo.server.drain()
  }

  @Test("a peer that accepts and never speaks HTTP/2 times out")
  func mutePeer() async throws {
    let silent = try SilentServer(sendsSettings: false)
    var limits = WireLimits()
    limits.connectMilliseconds = 50
    let client = try ClientConnection(
      host: "127.0.0.1", port: silent.port, tls: nil, limits: limits, time: SystemTime(), loops: sharedLoops)
    let failure = await outcome { () throws(CallFailure) in try await client.unary(EchoServer.unary, []) }
    #expect(failure?.code == .unavailable)
    #expect(failure?.isSafeToRetry == true)
    await client.close()
    silent.close()
  }

  @Test("a client that connects and says nothing is closed when its handshake time is over")
  func muteClient() async throws {
    var limits = WireLimits()
    limits.handshakeMilliseconds = 30
    let echo = try await EchoServer(limits: limits)
    let raw = try RawPeer(port: echo.port, speaks: false)
    #expect(await raw.waitForEnd())
    #expect(await eventually { echo.server.counters.connectionsRefused == 1 })
    raw.close()
    await echo.server.drain()
  }
}
