import Base
import Testing

@testable import Wire

@Suite struct DrainAgeTests {
  private func server(
    _ change: (inout WireLimits) -> Void, jitter: Double = 1
  ) async throws -> (Server, Seen, Int) {
    var limits = WireLimits()
    limits.drainNoticeMilliseconds = 10
    change(&limits)
    let seen = Seen()
    let server = Server(
      configuration: ServerConfiguration(
        host: "127.0.0.1", port: 0, tls: nil, anonymousRoles: [.edgeClient], limits: limits),
      methods: EchoServer.methods(seen), time: SystemTime(), jitter: { jitter })
    return (server, seen, try await server.start().port)
  }

  @Test("age and idleness come with their jitter, and calls put idleness off")
  func clock() {
    var limits = WireLimits()
    limits.connectionAgeMilliseconds = 10_000
    limits.connectionIdleMilliseconds = 1_000
    let start = Instant(nanoseconds: 1)
    func at(_ milliseconds: UInt64) -> Instant { start.advanced(byMilliseconds: milliseconds) }
    for jitter in [0.9, 1, 1.1] {
      let idle = UInt64(1000 * jitter)
      var age = ConnectionAge(limits, now: start, jitter: jitter)
      #expect(age.nextLook == at(idle / 4))
      #expect(age.look(at(idle - 1), hasCalls: false, lastStream: 0).due == nil)
      #expect(age.look(at(2 * idle), hasCalls: false, lastStream: 0).due == .idle)
      var busy = ConnectionAge(limits, now: start, jitter: jitter)
      var now: UInt64 = 0
      while at(now) < at(UInt64(10_000 * jitter)) {
        // A call is open at every other look, and one has come and gone at the others.
        let look = busy.look(at(now), hasCalls: now % 500 == 0, lastStream: Int32(now))
        #expect(look.due == nil, "\(now)")
        now += 250
      }
      #expect(busy.look(at(now), hasCalls: true, lastStream: 1).due == .age)
    }
    limits.connectionAgeMilliseconds = .max
    limits.connectionIdleMilliseconds = .max
    var forever = ConnectionAge(limits, now: start, jitter: 1.1)
    #expect(forever.nextLook == .distantFuture)
    #expect(forever.look(at(1 << 40), hasCalls: false, lastStream: 0).due == nil)
  }

  @Test("a connection that is old enough hears max_age in the second GOAWAY, and its call is answered")
  func maxAge() async throws {
    let (server, seen, port) = try await server { $0.connectionAgeMilliseconds = 50 }
    let raw = try RawPeer(port: port)
    raw.request(EchoServer.hold, body: framed([]), stream: 1)
    try await raw.receive(goAways: 2)
    #expect(raw.goAways == [Int32.max, 1])
    #expect(raw.goAwayDebug == "max_age")
    seen.letGo()
    #expect(try await raw.receive(stream: 1).field("grpc-status") == "0")
    #expect(await raw.waitForEnd())
    raw.close()
    await server.drain()
  }

  @Test("an idle connection hears max_idle and is closed; one with an open call isn't")
  func maxIdle() async throws {
    let (server, seen, port) = try await server { $0.connectionIdleMilliseconds = 40 }
    let busy = try RawPeer(port: port)
    busy.request(EchoServer.hold, body: framed([]), stream: 1)
    let idle = try RawPeer(port: port)
    #expect(await idle.waitForEnd())
    #expect(idle.goAwayDebug == "max_idle")
    #expect(busy.goAways.isEmpty)
    #expect(await eventually { seen.heldCount == 1 })
    seen.letGo()
    #expect(try await busy.receive(stream: 1).field("grpc-status") == "0")
    #expect(await busy.waitForEnd())
    #expect(busy.goAwayDebug == "max_idle")
    idle.close()
    busy.close()
    await server.drain()
  }

  @Test("streams on an old connection go on until the grace is over, and then get their status")
  func grace() async throws {
    let (server, seen, port) = try await server {
      $0.connectionAgeMilliseconds = 20
      $0.connectionAgeGraceMilliseconds = 60
    }
    let client = try ClientConnection(
      host: "127.0.0.1", port: port, tls: nil, time: SystemTime(), loops: sharedLoops)
    let call = try await client.open(EchoServer.hangStreaming)
    #expect(await eventually { seen.has("streaming began") })
    await #expect(throws: Fault.self) { for try await _ in call.responses {} }
    #expect(call.failure?.code == .unavailable)
    #expect(
      call.failure?.fault.message.contains("call again") == true, "\(call.failure?.fault.message ?? "")")
    #expect(await eventually { seen.has("streaming ended") })
    await client.close()
    await server.drain()
  }

  @Test("a client that calls all the time lives through connections that end all the time")
  func survives() async throws {
    let (server, _, port) = try await server {
      $0.connectionAgeMilliseconds = 15
      $0.connectionIdleMilliseconds = 10
    }
    let client = try ClientConnection(
      host: "127.0.0.1", port: port, tls: nil, time: SystemTime(), loops: sharedLoops)
    let failures = await withTaskGroup(of: String?.self) { group in
      for number in 0..<50 {
        group.addTask {
          do {
            for round in 0..<40 {
              let message = [UInt8(number), UInt8(round)]
              guard try await client.unary(EchoServer.unary, message).message == message else {
                return "wrong"
              }
              // Pauses of all lengths about the idle limit.
              if number == 0 { try await Task.sleep(for: .milliseconds(round)) }
            }
            return nil
          } catch { return "\(error)" }
        }
      }
      return await group.reduce(into: [String]()) { if let failure = $1 { $0.append(failure) } }
    }
    #expect(failures.isEmpty, "\(failures)")
    #expect(server.counters.callsFailed == 0)
    await client.close()
    await server.drain()
  }

  @Test("a watcher that comes while an old connection makes way is served, not refused")
  func lateWatcher() async throws {
    var limits = WireLimits()
    limits.connectionAgeMilliseconds = 20
    limits.drainNoticeMilliseconds = 5_000
    let health = HealthService(services: [], status: .serving)
    let server = Server(
      configuration: ServerConfiguration(host: "127.0.0.1", port: 0, tls: nil, limits: limits),
      methods: health.methods, time: SystemTime(), jitter: { 1 })
    let raw = try RawPeer(port: try await server.start().port)
    raw.shadowRequest(upTo: 1)
    // It answers no PING, so the second GOAWAY is far away.
    try await raw.receive(goAways: 1)
    raw.request("/grpc.health.v1.Health/Watch", body: framed([]), stream: 1)
    while raw.reply(1)?.body.isEmpty ?? true { try await raw.receiveSome() }
    #expect(raw.reply(1)?.body == framed([8, 1]))
    raw.close()
    await server.drain()
  }

  @Test("a server that shuts down doesn't wait for the grace of an old connection")
  func shutsDownEarlier() async throws {
    let (server, seen, port) = try await server {
      $0.connectionAgeMilliseconds = 20
      $0.drainGraceMilliseconds = 60
    }
    let raw = try RawPeer(port: port)
    raw.request(EchoServer.hang, body: framed([]), stream: 1)
    try await raw.receive(goAways: 2)
    #expect(seen.has("hang began"))
    let drain = Task { await server.drain() }
    #expect(try await raw.receive(stream: 1).field("grpc-status") == "14")
    #expect(await raw.waitForEnd())
    await drain.value
    raw.close()
  }
}
