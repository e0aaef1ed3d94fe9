import Base
import InteropService
import Testing

@testable import Wire

/// The standard cases about compression.
@Suite struct InteropCompressionTests {
  typealias Carrier = InteropFixture.Carrier

  @Test("client_compressed_unary", arguments: Carrier.allCases)
  func clientUnary(_ carrier: Carrier) async throws {
    let site = try await InteropFixture(carrier)
    // The probe: a server that checks must find out.
    for (expected, compresses) in [(true, false), (false, true)] {
      var probe = largeRequest()
      probe.expectCompressed = BoolValue(expected)
      let request = probe
      let failure = await outcome { () throws(CallFailure) in
        try await site.simple(request, compresses: compresses)
      }
      #expect(failure?.code == .invalidArgument)
    }
    for compresses in [true, false] {
      var request = largeRequest()
      request.expectCompressed = BoolValue(compresses)
      let (response, _) = try await site.simple(request, compresses: compresses)
      #expect(response.payload == Payload(zeros: 314_159))
    }
    await site.close()
  }

  @Test("server_compressed_unary", arguments: Carrier.allCases)
  func serverUnary(_ carrier: Carrier) async throws {
    let site = try await InteropFixture(carrier)
    for compressed in [true, false] {
      var request = largeRequest()
      request.responseCompressed = BoolValue(compressed)
      let (response, reply) = try await site.simple(request)
      #expect(reply.wasCompressed == compressed)
      #expect(response.payload == Payload(zeros: 314_159))
    }
    await site.close()
  }

  @Test("client_compressed_streaming", arguments: Carrier.allCases)
  func clientStreaming(_ carrier: Carrier) async throws {
    let site = try await InteropFixture(carrier)
    // The probe.
    let probe = try await site.client.open(InteropFixture.path("StreamingInputCall"), compresses: true)
    try await probe.send(request(27_182, expected: true), compress: false)
    probe.finishSending()
    await #expect(throws: Fault.self) { for try await _ in probe.responses {} }
    #expect(probe.failure?.code == .invalidArgument)

    let call = try await site.client.open(InteropFixture.path("StreamingInputCall"), compresses: true)
    try await call.send(request(27_182, expected: true))
    try await call.send(request(45_904, expected: false), compress: false)
    call.finishSending()
    var sizes: [Int32] = []
    for try await message in call.responses {
      sizes.append(try StreamingInputCallResponse(decoding: message).aggregatedPayloadSize)
    }
    #expect(sizes == [73_086])
    await site.close()
  }

  @Test("server_compressed_streaming", arguments: Carrier.allCases)
  func serverStreaming(_ carrier: Carrier) async throws {
    let site = try await InteropFixture(carrier)
    for order in [[true, false], [false, true]] {
      let call = try await site.client.open(InteropFixture.path("StreamingOutputCall"))
      var request = StreamingOutputCallRequest()
      request.responseParameters = zip([31_415, 92_653], order).map {
        ResponseParameters(size: $0, compressed: $1)
      }
      try await call.send(request.bytes)
      call.finishSending()
      var responses = call.responses.makeAsyncIterator()
      for (size, compressed) in zip([31_415, 92_653], order) {
        let message = try #require(try await responses.next())
        #expect(try StreamingOutputCallResponse(decoding: message).payload == Payload(zeros: size))
        #expect(responses.wasCompressed == compressed)
      }
      #expect(try await responses.next() == nil)
    }
    await site.close()
  }

  private func request(_ size: Int, expected: Bool) -> [UInt8] {
    var request = StreamingInputCallRequest()
    request.payload = Payload(zeros: size)
    request.expectCompressed = BoolValue(expected)
    return request.bytes
  }
}
