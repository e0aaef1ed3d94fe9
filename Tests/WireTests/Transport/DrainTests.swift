import Base
import Testing

@testable import Wire

@Suite struct DrainTests {
  @Test("a draining server says GOAWAY twice, finishes what it took, and closes")
  func twoGoAways() async throws {
    let echo = try await EchoServer()
    let raw = try RawPeer(port: echo.port)
    raw.request(EchoServer.hold, body: framed([]), stream: 1)
    #expect(await eventually { echo.seen.heldCount == 1 })
    let drain = Task { await echo.server.drain() }
    // This peer answers no PING, so the second one comes when the notice is over.
    try await raw.receive(goAways: 2)
    #expect(raw.goAways == [Int32.max, 1])
    echo.seen.letGo()
    #expect(try await raw.receive(stream: 1).field("grpc-status") == "0")
    #expect(await raw.waitForEnd())
    await drain.value
    raw.close()
  }

  @Test("no call that was taken is lost while a server drains under load")
  func underLoad() async throws {
    let first = try await EchoServer()
    let client = try first.client()
    _ = try await client.unary(EchoServer.unary, [])
    let results = await withTaskGroup(of: String.self) { group in
      for number in 0..<400 {
        group.addTask {
          do {
            for round in 0..<20 {
              let message = [UInt8(truncatingIfNeeded: number), UInt8(round)]
              guard try await client.unary(EchoServer.unary, message).message == message else {
                return "wrong"
              }
            }
            return "all"
          } catch {
            return (error as? CallFailure)?.isSafeToRetry == true ? "refused" : "lost: \(error)"
          }
        }
        if number == 100 {
          group.addTask {
            await first.server.drain(); return "drained"
          }
        }
      }
      var results: [String: Int] = [:]
      for await result in group { results[result, default: 0] += 1 }
      return results
    }
    #expect(results.keys.allSatisfy { ["all", "refused", "drained"].contains($0) }, "\(results)")
    #expect(results["drained"] == 1)
    #expect(first.server.counters.callsFailed == 0)
    await client.close()
  }

  @Test("calls that go on past the grace are ended as unavailable")
  func grace() async throws {
    var limits = WireLimits()
    limits.drainNoticeMilliseconds = 10
    limits.drainGraceMilliseconds = 60
    let echo = try await EchoServer(limits: limits)
    let client = try echo.client()
    let hanging = Task {
      await outcome { () throws(CallFailure) in try await client.unary(EchoServer.hang, []) }
    }
    #expect(await eventually { echo.seen.has("hang began") })
    await echo.server.drain()
    #expect(await hanging.value?.code == .unavailable)
    #expect(echo.seen.has("hang cancelled"))
    await client.close()
  }

  @Test("a call that is cut at the end of the grace gets its status, and why")
  func graceStatus() async throws {
    var limits = WireLimits()
    limits.drainNoticeMilliseconds = 10
    limits.drainGraceMilliseconds = 60
    for path in [EchoServer.hang, EchoServer.hangStreaming] {
      let echo = try await EchoServer(limits: limits)
      let raw = try RawPeer(port: echo.port)
      raw.request(path, body: framed([]), stream: 1)
      #expect(await eventually { echo.server.counters.callsOpen == 1 })
      let drain = Task { await echo.server.drain() }
      let reply = try await raw.receive(stream: 1)
      #expect(reply.field("grpc-status") == "14")
      #expect(reply.field("grpc-message")?.contains("shutting down") == true, "\(reply)")
      #expect(await raw.waitForEnd())
      await drain.value
      raw.close()
    }
  }

  @Test("a peer whose window is shut doesn't hold up the end of the grace")
  func graceBehindWindow() async throws {
    var limits = WireLimits()
    limits.drainNoticeMilliseconds = 10
    limits.drainGraceMilliseconds = 40
    limits.drainLeaveMilliseconds = 40
    limits.lingerMilliseconds = 40
    let echo = try await EchoServer(limits: limits)
    let raw = try RawPeer(port: echo.port, settings: [0, 4, 0, 0, 0, 0])
    raw.request(EchoServer.long, body: framed([]), stream: 1)
    #expect(
      await eventually { echo.server.counters.callsStarted == 1 && echo.server.counters.callsOpen == 0 })
    await echo.server.drain()
    #expect(echo.server.counters.connectionsOpen == 0)
    raw.close()
  }

  @Test("a peer that is still shaking hands when a server drains has its first call answered")
  func handshaking() async throws {
    let echo = try await EchoServer()
    let raw = try RawPeer(port: echo.port, speaks: false)
    #expect(await eventually { echo.server.counters.connectionsOpen == 1 })
    let silent = try RawPeer(port: echo.port, speaks: false)
    #expect(await eventually { echo.server.counters.connectionsOpen == 2 })
    let drain = Task { await echo.server.drain() }
    #expect(await eventually { (try? RawPeer(port: echo.port, speaks: false)) == nil })
    raw.send(Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8) + raw.frame(type: 4, flags: 0, stream: 0, []))
    raw.request(EchoServer.unary, body: framed([7]), stream: 1)
    let reply = try await raw.receive(stream: 1)
    #expect(reply.body == framed([7]))
    await drain.value
    raw.close()
    silent.close()
  }

  @Test("watchers who are told first hear NOT_SERVING before a server ends their call")
  func tellsWatchers() async throws {
    for _ in 0..<20 {
      let health = HealthService(services: [], status: .serving)
      let (server, client) = try await serve(health.methods)
      let call = try await client.open("/grpc.health.v1.Health/Watch")
      try await call.send([])
      call.finishSending()
      var responses = call.responses.makeAsyncIterator()
      #expect(try await responses.next() == [8, 1])
      health.shutDown()
      await health.tellWatchers()
      let drain = Task { await server.drain() }
      #expect(try await responses.next() == [8, 2])
      await drain.value
      await client.close()
    }
  }

  @Test("health watchers hear NOT_SERVING and don't hold up the drain")
  func watchers() async throws {
    let health = HealthService(services: ["a.B"], status: .serving)
    let server = Server(
      configuration: ServerConfiguration(host: "127.0.0.1", port: 0, tls: nil), methods: health.methods,
      time: SystemTime())
    let (host, port) = try await server.start()
    let client = try ClientConnection(
      host: host, port: port, tls: nil, time: SystemTime(), loops: sharedLoops)
    let call = try await client.open("/grpc.health.v1.Health/Watch")
    try await call.send([])
    call.finishSending()
    var responses = call.responses.makeAsyncIterator()
    #expect(try await responses.next() == [8, 1])
    health.shutDown()
    #expect(try await responses.next() == [8, 2])
    await server.drain()
    await #expect(throws: Fault.self) { _ = try await responses.next() }
    #expect(call.failure?.code == .unavailable)
    await client.close()
  }

  @Test("a long reply that is still on its way when a server drains arrives whole")
  func lastBytes() async throws {
    let echo = try await EchoServer()
    // The peer's windows let the whole reply out at once, more than the socket takes before somebody reads.
    let raw = try RawPeer(port: echo.port, settings: [0, 4, 0x20, 0, 0, 0])
    raw.send(raw.frame(type: 8, flags: 0, stream: 0, [0x20, 0, 0, 0]))
    raw.request(EchoServer.long, body: framed([]), stream: 1)
    let body = framed(EchoServer.longReply)
    #expect(
      await eventually { echo.server.counters.callsStarted == 1 && echo.server.counters.callsOpen == 0 })
    let drain = Task { await echo.server.drain() }
    let reply = try await raw.receive(stream: 1)
    // Compared first: a difference of arrays this long would take for ever to describe.
    let isWhole = reply.body == body
    #expect(isWhole)
    #expect(reply.field("grpc-status") == "0")
    raw.close()
    await drain.value
  }

  @Test("a server that never started drains at once")
  func neverStarted() async throws {
    let server = Server(
      configuration: ServerConfiguration(host: "127.0.0.1", port: 0, tls: nil), methods: [],
      time: SystemTime())
    await server.drain()
    await server.drain()
  }

  @Test("a port that is taken says so")
  func takenPort() async throws {
    let echo = try await EchoServer()
    let second = Server(
      configuration: ServerConfiguration(host: "127.0.0.1", port: echo.port, tls: nil), methods: [],
      time: SystemTime())
    do {
      _ = try await second.start()
      Issue.record("it started")
    } catch {
      #expect((error as? Fault)?.code == .failedPrecondition)
    }
    await second.drain()
    await echo.server.drain()
  }

  @Test("after a drain nobody can connect")
  func closed() async throws {
    let echo = try await EchoServer()
    await echo.server.drain()
    #expect(throws: (any Error).self) { try RawPeer(port: echo.port) }
  }
}
