import Base
import InteropService
import Testing

@testable import Wire

/// gRPC's standard interop cases, by our own client against our own server; Python's client drives the same ones in
/// Tests/interop.
@Suite struct InteropCaseTests {
  typealias Carrier = InteropFixture.Carrier

  @Test("empty_unary", arguments: Carrier.allCases)
  func emptyUnary(_ carrier: Carrier) async throws {
    let site = try await InteropFixture(carrier)
    #expect(try await site.client.unary(InteropFixture.path("EmptyCall"), []).message == [])
    await site.close()
  }

  @Test("large_unary", arguments: Carrier.allCases)
  func largeUnary(_ carrier: Carrier) async throws {
    let site = try await InteropFixture(carrier)
    let (response, _) = try await site.simple(largeRequest())
    #expect(response.payload == Payload(zeros: 314_159))
    await site.close()
  }

  @Test("cacheable_unary", arguments: Carrier.allCases)
  func cacheableUnary(_ carrier: Carrier) async throws {
    let site = try await InteropFixture(carrier)
    let (response, reply) = try await site.simple(largeRequest(), method: "CacheableUnaryCall")
    #expect(response.payload == Payload(zeros: 314_159))
    #expect(reply.initialMetadata["cache-control"] == "max-age=60, public")
    await site.close()
  }

  @Test("a caller learns who answered, and as whom it is known", arguments: Carrier.allCases)
  func identities(_ carrier: Carrier) async throws {
    let site = try await InteropFixture(carrier)
    var request = SimpleRequest()
    request.fillServerID = true
    request.fillUsername = true
    let (response, _) = try await site.simple(request)
    #expect(response.serverID == "marquee")
    #expect(response.username == (carrier == .h2c ? "" : "spiffe://marquee.test/edge-client/client"))
    await site.close()
  }

  @Test("client_streaming", arguments: Carrier.allCases)
  func clientStreaming(_ carrier: Carrier) async throws {
    let site = try await InteropFixture(carrier)
    let call = try await site.client.open(InteropFixture.path("StreamingInputCall"))
    for size in [27_182, 8, 1_828, 45_904] {
      var request = StreamingInputCallRequest()
      request.payload = Payload(zeros: size)
      try await call.send(request.bytes)
    }
    call.finishSending()
    var sizes: [Int32] = []
    for try await message in call.responses {
      sizes.append(try StreamingInputCallResponse(decoding: message).aggregatedPayloadSize)
    }
    #expect(sizes == [74_922])
    await site.close()
  }

  @Test("server_streaming", arguments: Carrier.allCases)
  func serverStreaming(_ carrier: Carrier) async throws {
    let site = try await InteropFixture(carrier)
    let call = try await site.client.open(InteropFixture.path("StreamingOutputCall"))
    let wanted: [Int32] = [31_415, 9, 2_653, 58_979]
    var request = StreamingOutputCallRequest()
    request.responseParameters = wanted.map { ResponseParameters(size: $0, intervalMicroseconds: 100 + $0) }
    try await call.send(request.bytes)
    call.finishSending()
    #expect(try await sizes(call) == wanted.map { Int($0) })
    #expect(site.sleeps.list == wanted.map { Int64(100 + $0) })
    await site.close()
  }

  @Test("ping_pong", arguments: Carrier.allCases)
  func pingPong(_ carrier: Carrier) async throws {
    let site = try await InteropFixture(carrier)
    let call = try await site.client.open(InteropFixture.path("FullDuplexCall"))
    var responses = call.responses.makeAsyncIterator()
    for (asked, size) in [(27_182, 31_415), (8, 9), (1_828, 2_653), (45_904, 58_979)] {
      try await call.send(ping(asked, size))
      let message = try #require(try await responses.next())
      #expect(try StreamingOutputCallResponse(decoding: message).payload == Payload(zeros: size))
    }
    call.finishSending()
    #expect(try await responses.next() == nil)
    await site.close()
  }

  @Test("half_duplex: nothing is answered before the last request has come", arguments: Carrier.allCases)
  func halfDuplex(_ carrier: Carrier) async throws {
    let site = try await InteropFixture(carrier)
    let call = try await site.client.open(InteropFixture.path("HalfDuplexCall"))
    for size in [1, 2, 3] { try await call.send(ping(0, size)) }
    call.finishSending()
    #expect(try await sizes(call) == [1, 2, 3])
    await site.close()
  }

  @Test("empty_stream", arguments: Carrier.allCases)
  func emptyStream(_ carrier: Carrier) async throws {
    let site = try await InteropFixture(carrier)
    let call = try await site.client.open(InteropFixture.path("FullDuplexCall"))
    call.finishSending()
    #expect(try await sizes(call) == [])
    await site.close()
  }

  @Test("cancel_after_begin", arguments: Carrier.allCases)
  func cancelAfterBegin(_ carrier: Carrier) async throws {
    let site = try await InteropFixture(carrier)
    let call = try await site.client.open(InteropFixture.path("StreamingInputCall"))
    call.cancel()
    await #expect(throws: Fault.self) { for try await _ in call.responses {} }
    #expect(call.failure?.code == .cancelled)
    #expect(await eventually { site.server.counters.callsOpen == 0 })
    await site.close()
  }

  @Test("cancel_after_first_response", arguments: Carrier.allCases)
  func cancelAfterFirstResponse(_ carrier: Carrier) async throws {
    let site = try await InteropFixture(carrier)
    let call = try await site.client.open(InteropFixture.path("FullDuplexCall"))
    try await call.send(ping(27_182, 31_415))
    var responses = call.responses.makeAsyncIterator()
    #expect(try await responses.next() != nil)
    #expect(site.server.counters.callsOpen == 1)
    call.cancel()
    await #expect(throws: Fault.self) { for try await _ in call.responses {} }
    #expect(call.failure?.code == .cancelled)
    #expect(await eventually { site.server.counters.callsOpen == 0 })
    await site.close()
  }

  @Test("timeout_on_sleeping_server", arguments: Carrier.allCases)
  func timeoutOnSleepingServer(_ carrier: Carrier) async throws {
    let site = try await InteropFixture(carrier, sleepsForEver: true)
    // The connection is there before the call's time begins.
    _ = try await site.client.unary(InteropFixture.path("EmptyCall"), [])
    let call = try await site.client.open(
      InteropFixture.path("FullDuplexCall"), deadline: SystemTime().instant.advanced(byMilliseconds: 300))
    var request = StreamingOutputCallRequest()
    request.payload = Payload(zeros: 27_182)
    request.responseParameters = [ResponseParameters(size: 31_415, intervalMicroseconds: 1)]
    try await call.send(request.bytes)
    await #expect(throws: Fault.self) { for try await _ in call.responses {} }
    #expect(call.failure?.code == .deadlineExceeded)
    #expect(await eventually { site.server.counters.callsOpen == 0 })
    await site.close()
  }

  private func ping(_ count: Int, _ size: Int) -> [UInt8] {
    var request = StreamingOutputCallRequest()
    request.payload = Payload(zeros: count)
    request.responseParameters = [ResponseParameters(size: Int32(size))]
    return request.bytes
  }

  private func sizes(_ call: ClientCall) async throws -> [Int] {
    var sizes: [Int] = []
    for try await message in call.responses {
      sizes.append(try StreamingOutputCallResponse(decoding: message).payload?.body.count ?? -1)
    }
    return sizes
  }
}
