import Base
import Testing

@testable import Wire

@Suite struct CallTests {
  @Test("a client-streaming call gets one answer to many messages")
  func clientStreaming() async throws {
    let echo = try await EchoServer()
    let client = try echo.client()
    let call = try await client.open(EchoServer.collect)
    for number in 0..<100 { try await call.send([UInt8(number)]) }
    call.finishSending()
    var got: [[UInt8]] = []
    for try await message in call.responses { got.append(message) }
    #expect(got == [(0..<100).map { UInt8($0) }])
    #expect(call.failure == nil)
    await client.close()
    await echo.server.drain()
  }

  @Test("a server-streaming call gets many answers to one message")
  func serverStreaming() async throws {
    let echo = try await EchoServer()
    let client = try echo.client()
    let call = try await client.open(EchoServer.expand)
    try await call.send((0..<200).map { UInt8($0) })
    call.finishSending()
    var got: [UInt8] = []
    for try await message in call.responses { got += message }
    #expect(got == (0..<200).map { UInt8($0) })
    await client.close()
    await echo.server.drain()
  }

  @Test("a bidirectional call answers each message before the next is sent")
  func bidirectional() async throws {
    let echo = try await EchoServer()
    let client = try echo.client()
    let call = try await client.open(EchoServer.chat)
    var responses = call.responses.makeAsyncIterator()
    for size in [0, 1, 70_000, 1_000_000, 5] {
      let message = [UInt8](repeating: UInt8(size & 0xff), count: size)
      try await call.send(message)
      #expect(try await responses.next() == message)
    }
    call.finishSending()
    #expect(try await responses.next() == nil)
    await client.close()
    await echo.server.drain()
  }

  @Test("a call with no message at all ends well")
  func emptyStream() async throws {
    let echo = try await EchoServer()
    let client = try echo.client()
    let call = try await client.open(EchoServer.chat)
    call.finishSending()
    for try await _ in call.responses { Issue.record("a message from nowhere") }
    await client.close()
    await echo.server.drain()
  }

  @Test("a failed call brings its code, its message in any language, and its trailers")
  func failure() async throws {
    let echo = try await EchoServer()
    let client = try echo.client()
    do {
      _ = try await client.unary(EchoServer.fail, Array("Zürich ☕ 100%\n".utf8))
      Issue.record("the call ended well")
    } catch {
      #expect(error.code == .failedPrecondition)
      #expect(error.fault.message == "Zürich ☕ 100%\n")
      #expect(error.fault.metadata["marquee-epoch"] == "7")
      #expect(error.trailers["x-note"] == "why")
      #expect(!error.isSafeToRetry)
    }
    await client.close()
    await echo.server.drain()
    #expect(echo.server.counters.callsFailed == 1)
  }

  @Test("metadata goes both ways, text and bytes")
  func metadata() async throws {
    let echo = try await EchoServer()
    let client = try echo.client()
    var metadata = Metadata()
    metadata.append("x-text", "one")
    metadata.append("x-text", "two")
    metadata.append("x-blob-bin", bytes: [0, 1, 254, 255])
    let deadline = SystemTime().instant.advanced(byMilliseconds: 60_000)
    let reply = try await client.unary(EchoServer.describe, [], deadline: deadline, metadata: metadata)
    #expect(reply.initialMetadata.texts("x-text") == ["one", "two"])
    #expect(reply.initialMetadata.bytes("x-blob-bin") == [[0, 1, 254, 255]])
    #expect(reply.trailers.bytes("x-trailer-bin") == [[0, 255, 1]])
    #expect(String(decoding: reply.message, as: UTF8.self) == "none - deadline")
    await client.close()
    await echo.server.drain()
  }

  @Test("an unknown method is unimplemented, and says which")
  func unknownMethod() async throws {
    let echo = try await EchoServer()
    let client = try echo.client()
    let failure = await outcome { () throws(CallFailure) in try await client.unary("/test.Echo/Nothing", []) }
    #expect(failure?.code == .unimplemented)
    #expect(failure?.fault.message.contains("/test.Echo/Nothing") == true)
    await client.close()
    await echo.server.drain()
  }

  @Test("a role that a method doesn't name gets permissionDenied with the method and the role")
  func roles() async throws {
    let echo = try await EchoServer(roles: [.edgeClient])
    let client = try echo.client()
    let failure = await outcome { () throws(CallFailure) in try await client.unary(EchoServer.ops, []) }
    #expect(failure?.code == .permissionDenied)
    #expect(failure?.fault.message.contains(EchoServer.ops) == true)
    #expect(failure?.fault.message.contains("edge-client") == true)
    await client.close()
    await echo.server.drain()
  }

  @Test("without roles for plain text nobody is admitted")
  func noRoles() async throws {
    let echo = try await EchoServer(roles: [])
    let client = try echo.client()
    let failure = await outcome { () throws(CallFailure) in try await client.unary(EchoServer.unary, []) }
    #expect(failure?.code == .permissionDenied)
    await client.close()
    await echo.server.drain()
  }

  @Test("a thousand calls at once wait for their places and all get their own answer")
  func manyCalls() async throws {
    var limits = WireLimits()
    limits.concurrentStreamsMax = 10
    let echo = try await EchoServer(limits: limits)
    let client = try echo.client()
    let right = await withTaskGroup(of: Bool.self) { group in
      for number in 0..<1000 {
        group.addTask {
          let message = [UInt8(truncatingIfNeeded: number), UInt8(number >> 8)]
          let reply = try? await client.unary(EchoServer.unary, message)
          return reply?.message == message
        }
      }
      return await group.reduce(0) { $0 + ($1 ? 1 : 0) }
    }
    #expect(right == 1000)
    #expect(echo.server.counters.connectionsOpen == 1)
    await client.close()
    await echo.server.drain()
  }

  @Test("more calls than may wait are refused at once, and may be made again")
  func fullQueue() async throws {
    var limits = WireLimits()
    limits.concurrentStreamsMax = 1
    limits.queuedCallsMax = 2
    let echo = try await EchoServer(limits: limits)
    let client = try echo.client(limits: limits)
    let held = Task { try await client.unary(EchoServer.hold, []) }
    #expect(await eventually { echo.seen.heldCount == 1 })
    let failures = Locked<[CallFailure]>([])
    for _ in 0..<5 {
      client.unary(EchoServer.unary, []) { result in
        if case .failure(let failure) = result { failures.withLock { $0.append(failure) } }
      }
    }
    #expect(await eventually { failures.withLock { $0.count } == 3 })
    #expect(failures.withLock { $0.allSatisfy { $0.code == .resourceExhausted && $0.isSafeToRetry } })
    echo.seen.letGo()
    _ = try await held.value
    await client.close()
    await echo.server.drain()
  }
}

/// The failure of a call that should fail.
func outcome<Value: Sendable>(
  _ body: @Sendable () async throws(CallFailure) -> Value
) async -> CallFailure? {
  do {
    _ = try await body()
    return nil
  } catch {
    return error
  }
}
