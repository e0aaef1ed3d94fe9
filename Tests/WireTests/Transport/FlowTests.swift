import Base
import Synchronization
import Testing

@testable import Wire

/// Back-pressure and limits.
@Suite struct FlowTests {
  @Test("a reader that doesn't read holds up the writer, and costs bounded memory")
  func slowReader() async throws {
    let limits = WireLimits()
    let echo = try await EchoServer(limits: limits)
    let client = try echo.client()
    let call = try await client.open(EchoServer.flood)
    try await call.send([])
    // The writer stops by itself: first its own queue is full, then the client's window is shut.
    var last = -1
    while last != echo.seen.sent.load(ordering: .relaxed) {
      last = echo.seen.sent.load(ordering: .relaxed)
      try await Task.sleep(for: .milliseconds(200))
    }
    let held = echo.server.counters.bytesBuffered
    #expect(held <= limits.sendQueueBytesMax + (64 << 10) + 10)
    #expect(last * (64 << 10) <= 2 * (limits.sendQueueBytesMax + limits.streamWindowBytes) + (256 << 10))
    // And goes on when somebody reads.
    var responses = call.responses.makeAsyncIterator()
    for _ in 0..<(last * 3) { #expect(try await responses.next()?.count == 64 << 10) }
    call.cancel()
    #expect(await eventually { echo.server.counters.bytesBuffered == 0 })
    await client.close()
    await echo.server.drain()
  }

  @Test("a handler that doesn't take messages holds up the client")
  func slowHandler() async throws {
    let limits = WireLimits()
    let stop = AsyncStream.makeStream(of: Void.self)
    let method = RPCMethod(
      "/test.Slow/Take", admits: .everyone,
      .streaming { _, requests, _ in
        for await _ in stop.stream { break }
        for try await _ in requests {}
      })
    let server = Server(
      configuration: ServerConfiguration(host: "127.0.0.1", port: 0, tls: nil), methods: [method],
      time: SystemTime())
    let (host, port) = try await server.start()
    let client = try ClientConnection(
      host: host, port: port, tls: nil, time: SystemTime(), loops: sharedLoops)
    let call = try await client.open("/test.Slow/Take")
    let seen = Seen()
    let total = 100
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask {
        for _ in 0..<total {
          try await call.send([UInt8](repeating: 1, count: 64 << 10))
          seen.sent.add(1, ordering: .relaxed)
        }
        call.finishSending()
      }
      var last = -1
      while last != seen.sent.load(ordering: .relaxed) {
        last = seen.sent.load(ordering: .relaxed)
        try await Task.sleep(for: .milliseconds(200))
      }
      #expect(last < total)
      #expect(server.counters.bytesBuffered <= limits.streamWindowBytes + (64 << 10))
      stop.continuation.finish()
      for try await _ in call.responses {}
      try await group.waitForAll()
    }
    #expect(seen.sent.load(ordering: .relaxed) == total)
    #expect(server.counters.bytesBuffered == 0)
    await client.close()
    await server.drain()
  }

  @Test("one call that isn't read doesn't hold up others on the same connection")
  func otherCalls() async throws {
    let echo = try await EchoServer()
    let client = try echo.client()
    var calls: [ClientCall] = []
    for _ in 0..<8 {
      let call = try await client.open(EchoServer.flood)
      try await call.send([])
      calls.append(call)
    }
    #expect(await eventually { echo.seen.sent.load(ordering: .relaxed) > 32 })
    let message = [UInt8](repeating: 3, count: 500_000)
    #expect(try await client.unary(EchoServer.unary, message).message == message)
    for call in calls { call.cancel() }
    await client.close()
    await echo.server.drain()
  }

  @Test("a message over the limit is refused by server and by client")
  func longMessages() async throws {
    var small = WireLimits()
    small.messageBytesMax = 1000
    let echo = try await EchoServer(limits: small)
    let client = try echo.client()
    let fits = try await client.unary(EchoServer.unary, [UInt8](repeating: 0, count: 1000))
    #expect(fits.message.count == 1000)
    let failure = await outcome { () throws(CallFailure) in
      try await client.unary(EchoServer.unary, [UInt8](repeating: 0, count: 1001))
    }
    #expect(failure?.code == .resourceExhausted)

    let large = try await EchoServer()
    let picky = try large.client(limits: small)
    let refused = await outcome { () throws(CallFailure) in
      try await picky.unary(EchoServer.unary, [UInt8](repeating: 0, count: 1001))
    }
    #expect(refused?.code == .resourceExhausted)
    await client.close()
    await picky.close()
    await echo.server.drain()
    await large.server.drain()
  }

  @Test("unfinished messages on one connection have a limit together")
  func heldBytes() async throws {
    var limits = WireLimits()
    limits.connectionBufferedBytesMax = 100_000
    let echo = try await EchoServer(limits: limits)
    let raw = try RawPeer(port: echo.port)
    let part = Array(framed([UInt8](repeating: 0, count: 60_000)).prefix(15_000))
    var refused = 0
    for index in 0..<8 {
      let stream = Int32(index * 2 + 1)
      raw.request(EchoServer.unary, body: part, stream: stream, ends: false)
      if index >= 6 {
        #expect(try await raw.receive(stream: stream).field("grpc-status") == "8")
        refused += 1
      }
    }
    #expect(refused == 2)
    #expect(echo.server.counters.bytesBuffered <= 100_000)
    raw.close()
    await echo.server.drain()
  }

  @Test("connections over the limit are closed at once")
  func connectionLimit() async throws {
    var limits = WireLimits()
    limits.connectionsMax = 1
    let echo = try await EchoServer(limits: limits)
    let first = try RawPeer(port: echo.port)
    first.request(EchoServer.unary, body: framed([1]), stream: 1)
    _ = try await first.receive(stream: 1)
    let second = try RawPeer(port: echo.port)
    #expect(await second.waitForEnd())
    first.request(EchoServer.unary, body: framed([1]), stream: 3)
    #expect(try await first.receive(stream: 3).status == "200")
    first.close()
    second.close()
    #expect(await eventually { echo.server.counters.connectionsRefused == 1 })
    await echo.server.drain()
  }
}
