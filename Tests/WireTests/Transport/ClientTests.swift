import Base
import Testing

@testable import Wire

/// What a client makes of servers that don't answer as they should.
@Suite struct ClientTests {
  private func failure(_ script: @escaping ScriptedServer.Script) async throws -> CallFailure? {
    let server = try await ScriptedServer(script)
    let client = try server.client()
    let failure = await outcome { () throws(CallFailure) in try await client.unary("/a.B/C", [1]) }
    await client.close()
    await server.close()
    return failure
  }

  @Test("resets have the codes that gRPC gives them")
  func resets() async throws {
    let cases: [(UInt32, Fault.Code, Bool)] = [
      (HTTP2Code.refusedStream, .unavailable, true),
      (HTTP2Code.enhanceYourCalm, .resourceExhausted, false),
      (HTTP2Code.cancel, .cancelled, false),
      (HTTP2Code.internalError, .internalError, false),
      (HTTP2Code.protocolError, .internalError, false),
      (HTTP2Code.noError, .internalError, false),
    ]
    for (reset, code, isSafe) in cases {
      let failure = try await failure { session, stream in session.reset(stream: stream, code: reset) }
      #expect(failure?.code == code, "\(reset)")
      #expect(failure?.isSafeToRetry == isSafe, "\(reset)")
    }
  }

  @Test("a refused call is made once more, by itself")
  func refusedOnce() async throws {
    let refused = ScriptedServer.Counter()
    let server = try await ScriptedServer { session, stream in
      guard refused.increment() > 1 else {
        return session.reset(stream: stream, code: HTTP2Code.refusedStream)
      }
      let body = OutboundBody(hasTrailers: true, reportsReads: false)
      body.append([7])
      body.finish()
      session.respond(stream: stream, headers: nil, body: body)
    }
    let client = try server.client()
    #expect(try await client.unary("/a.B/C", [1]).message == [7])
    #expect(server.requestCount.value == 2)
    await client.close()
    await server.close()
  }

  @Test("an HTTP status without a grpc-status has the code that gRPC gives it")
  func httpStatuses() async throws {
    let cases: [(String, Fault.Code)] = [
      ("400", .internalError), ("401", .unauthenticated), ("403", .permissionDenied), ("404", .unimplemented),
      ("429", .unavailable), ("502", .unavailable), ("503", .unavailable), ("504", .unavailable),
      ("500", .unknown), ("302", .unknown),
    ]
    for (status, code) in cases {
      let failure = try await failure { session, stream in
        session.respond(stream: stream, headers: HeaderBlock([":status": status]), body: nil)
      }
      #expect(failure?.code == code, "\(status)")
      #expect(failure?.isSafeToRetry == false)
    }
  }

  @Test("a response that isn't gRPC, has no status or a status that nobody knows, is unknown")
  func strangeResponses() async throws {
    let blocks: [HeaderBlock] = [
      HeaderBlock([":status": "200", "content-type": "text/html"]),
      HeaderBlock([":status": "200", "content-type": "application/grpc"]),
      HeaderBlock([":status": "200", "content-type": "application/grpc", "grpc-status": "99"]),
      HeaderBlock([":status": "200", "content-type": "application/grpc", "grpc-status": "x"]),
    ]
    for block in blocks {
      let failure = try await failure { session, stream in
        session.respond(stream: stream, headers: block, body: nil)
      }
      #expect(failure?.code == .unknown)
    }
    let trailerless = try await failure { session, stream in
      let body = OutboundBody(hasTrailers: false, reportsReads: false)
      body.append([1])
      body.finish()
      session.respond(stream: stream, headers: nil, body: body)
    }
    #expect(trailerless?.code == .unknown)
  }

  @Test("a unary call that is answered by no message or by two is unimplemented")
  func cardinality() async throws {
    for count in [0, 2] {
      let failure = try await failure { session, stream in
        let body = OutboundBody(hasTrailers: true, reportsReads: false)
        for _ in 0..<count { body.append([1]) }
        body.finish()
        session.respond(stream: stream, headers: nil, body: body)
      }
      #expect(failure?.code == .unimplemented, "\(count)")
    }
  }

  @Test("a server that says GOAWAY at once gets no call, and the caller may try elsewhere")
  func goAwayAtOnce() async throws {
    let server = try await ScriptedServer(opening: { $0.terminate(code: HTTP2Code.noError) }) { _, _ in }
    let client = try server.client()
    let failure = await outcome { () throws(CallFailure) in try await client.unary("/a.B/C", [1]) }
    #expect(failure?.code == .unavailable)
    #expect(failure?.isSafeToRetry == true)
    #expect(server.requestCount.value == 0)
    await client.close()
    await server.close()
  }

  @Test("a call that had not left when its connection ended is made on another")
  func endBeforeTheCallLeft() async throws {
    let fixture = try TLSTests.Fixture()
    let opened = ScriptedServer.Counter()
    // Over TLS SETTINGS, GOAWAY and the end may be read at once: the call is opened and lost in between.
    let server = try await ScriptedServer(tls: fixture.server.configuration()) { session in
      if opened.increment() == 1 { session.terminate(code: HTTP2Code.noError) }
    } _: { session, stream in
      let body = OutboundBody(hasTrailers: true, reportsReads: false)
      body.append([7])
      body.finish()
      session.respond(stream: stream, headers: nil, body: body)
    }
    let client = try server.client(tls: fixture.issue(.edgeClient))
    #expect(try await client.unary("/a.B/C", [1]).message == [7])
    #expect(opened.value == 2 && server.requestCount.value == 1)
    await client.close()
    await server.close()
  }

  @Test("a client finds its server again after a restart on the same port")
  func reconnect() async throws {
    let first = try await EchoServer()
    let client = try first.client()
    #expect(try await client.unary(EchoServer.unary, [1]).message == [1])
    await first.server.drain()
    let gone = await outcome { () throws(CallFailure) in try await client.unary(EchoServer.unary, [2]) }
    #expect(gone?.code == .unavailable && gone?.isSafeToRetry == true)
    let second = Server(
      configuration: ServerConfiguration(
        host: "127.0.0.1", port: first.port, tls: nil, anonymousRoles: [.edgeClient]),
      methods: EchoServer.methods(first.seen), time: SystemTime())
    _ = try await second.start()
    // The first tries may fall into the backoff of the last failure.
    var answer: [UInt8]?
    for _ in 0..<500 where answer == nil {
      answer = try? await client.unary(EchoServer.unary, [3]).message
      if answer == nil { try await Task.sleep(for: .milliseconds(5)) }
    }
    #expect(answer == [3])
    await client.close()
    await second.drain()
  }

  @Test("a closed client connection fails its open calls and takes no more")
  func closed() async throws {
    let echo = try await EchoServer()
    let client = try echo.client()
    let open = Task {
      await outcome { () throws(CallFailure) in try await client.unary(EchoServer.hang, []) }
    }
    #expect(await eventually { echo.seen.has("hang began") })
    await client.close()
    #expect(await open.value?.code == .cancelled)
    let late = await outcome { () throws(CallFailure) in try await client.unary(EchoServer.unary, []) }
    #expect(late?.code == .unavailable && late?.isSafeToRetry == true)
    await client.close()
    #expect(await eventually { echo.seen.has("hang cancelled") })
    await echo.server.drain()
  }
}
