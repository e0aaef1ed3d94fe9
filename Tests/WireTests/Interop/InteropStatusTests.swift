import Base
import InteropService
import Testing

@testable import Wire

/// The standard cases about metadata, statuses and methods that are not there.
@Suite struct InteropStatusTests {
  typealias Carrier = InteropFixture.Carrier

  private func metadata() -> Metadata {
    var metadata = Metadata([echoInitial: "test_initial_metadata_value"])
    metadata.append(echoTrailing, bytes: [0xab, 0xab, 0xab])
    return metadata
  }

  @Test("custom_metadata", arguments: Carrier.allCases)
  func customMetadata(_ carrier: Carrier) async throws {
    let site = try await InteropFixture(carrier)
    let (response, reply) = try await site.simple(largeRequest(), metadata: metadata())
    #expect(response.payload == Payload(zeros: 314_159))
    #expect(reply.initialMetadata.texts(echoInitial) == ["test_initial_metadata_value"])
    #expect(reply.trailers.bytes(echoTrailing) == [[0xab, 0xab, 0xab]])

    let call = try await site.client.open(InteropFixture.path("FullDuplexCall"), metadata: metadata())
    var request = StreamingOutputCallRequest()
    request.responseParameters = [ResponseParameters(size: 314_159)]
    request.payload = Payload(zeros: 271_828)
    try await call.send(request.bytes)
    call.finishSending()
    for try await message in call.responses {
      #expect(try StreamingOutputCallResponse(decoding: message).payload == Payload(zeros: 314_159))
    }
    #expect(await call.initialMetadata().texts(echoInitial) == ["test_initial_metadata_value"])
    #expect(call.trailers?.bytes(echoTrailing) == [[0xab, 0xab, 0xab]])
    await site.close()
  }

  @Test("metadata of a call that fails come back all the same", arguments: Carrier.allCases)
  func failedMetadata(_ carrier: Carrier) async throws {
    let site = try await InteropFixture(carrier)
    var request = SimpleRequest()
    request.responseStatus = EchoStatus(2, "no")
    let asked = (request, metadata())
    let failure = await outcome { () throws(CallFailure) in try await site.simple(asked.0, metadata: asked.1)
    }
    #expect(failure?.code == .unknown)
    #expect(failure?.trailers.bytes(echoTrailing) == [[0xab, 0xab, 0xab]])
    await site.close()
  }

  @Test(
    "status_code_and_message, special_status_message", arguments: Carrier.allCases,
    [
      "test status message", " spaces at both ends ",
      "\t\ntest with whitespace\r\nand Unicode BMP \u{263A} and non-BMP \u{1F608}\t\n",
    ])
  func statuses(_ carrier: Carrier, _ message: String) async throws {
    let site = try await InteropFixture(carrier)
    var simple = SimpleRequest()
    simple.responseStatus = EchoStatus(2, message)
    let request = simple
    let failure = await outcome { () throws(CallFailure) in try await site.simple(request) }
    #expect(failure?.fault == Fault(.unknown, message))

    let call = try await site.client.open(InteropFixture.path("FullDuplexCall"))
    var streaming = StreamingOutputCallRequest()
    streaming.responseStatus = EchoStatus(2, message)
    try await call.send(streaming.bytes)
    call.finishSending()
    await #expect(throws: Fault(.unknown, message)) { for try await _ in call.responses {} }
    #expect(call.failure?.fault == Fault(.unknown, message))
    await site.close()
  }

  @Test("every status arrives as it was asked for, and one that nobody knows as unknown")
  func everyStatus() async throws {
    let site = try await InteropFixture(.h2c)
    for code in [Int32](1...16) + [17, -1, 200] {
      var simple = SimpleRequest()
      simple.responseStatus = EchoStatus(code, "as asked")
      let request = simple
      let failure = await outcome { () throws(CallFailure) in try await site.simple(request) }
      #expect(failure?.fault == Fault(Fault.Code(rawValue: Int(code)) ?? .unknown, "as asked"))
    }
    await site.close()
  }

  @Test(
    "unimplemented_method, unimplemented_service", arguments: Carrier.allCases,
    ["TestService/UnimplementedCall", "UnimplementedService/UnimplementedCall"])
  func unimplemented(_ carrier: Carrier, _ method: String) async throws {
    let site = try await InteropFixture(carrier)
    let failure = await outcome { () throws(CallFailure) in
      try await site.client.unary("/grpc.testing.\(method)", [])
    }
    #expect(failure?.code == .unimplemented)
    await site.close()
  }

  @Test("what can't be read, or can't be asked for, is an invalid argument")
  func invalid() async throws {
    let site = try await InteropFixture(.h2c)
    var negative = SimpleRequest()
    negative.responseSize = -1
    var huge = SimpleRequest()
    huge.responseSize = .max
    // A string that isn't UTF-8, a field cut off, a number without an end, a group.
    let broken: [[UInt8]] = [
      negative.bytes, huge.bytes, [0x3a, 3, 0x12, 1, 0xff], [0x1a, 5, 0],
      [0x10] + [UInt8](repeating: 0xff, count: 11), [0x0b],
      [0x09, 0], [0x0d, 0],
    ]
    for message in broken {
      let failure = await outcome { () throws(CallFailure) in
        try await site.client.unary(InteropFixture.path("UnaryCall"), message)
      }
      #expect(failure?.code == .invalidArgument, "\(message)")
    }
    await site.close()
  }

  @Test("orca_per_rpc: the load that a request says is in its trailers", arguments: Carrier.allCases)
  func loadOfACall(_ carrier: Carrier) async throws {
    let site = try await InteropFixture(carrier)
    var report = TestOrcaReport()
    report.cpuUtilization = 0.8210
    report.requestCost = ["cost": 3456.32]
    var request = SimpleRequest()
    request.orcaPerQueryReport = report
    let (_, reply) = try await site.simple(request)
    let bytes = try #require(reply.trailers.bytes("endpoint-load-metrics-bin").first)
    // Its request_cost is field 4 where the test's own message has utilization.
    let read = try TestOrcaReport(decoding: bytes)
    #expect(read.cpuUtilization == 0.8210 && read.utilization == ["cost": 3456.32])
    await site.close()
  }

  @Test("orca_oob: the load that a request says is reported beside calls from then on")
  func loadBesideCalls() async throws {
    let site = try await InteropFixture(.h2c, sleepsForEver: true)
    var request = StreamingOutputCallRequest()
    for load in [0.25, 0.5] {
      var report = TestOrcaReport()
      report.cpuUtilization = load
      request.orcaOOBReport = report
      let call = try await site.client.open(InteropFixture.path("FullDuplexCall"))
      try await call.send(request.bytes)
      call.finishSending()
      for try await _ in call.responses {}
      let reports = try await site.client.open("/xds.service.orca.v3.OpenRcaService/StreamCoreMetrics")
      // Two seconds and a half.
      try await reports.send([0x0a, 8, 0x08, 2, 0x10, 0x80, 0xca, 0xb5, 0xee, 0x01])
      var messages = reports.responses.makeAsyncIterator()
      let message = try #require(try await messages.next())
      #expect(try TestOrcaReport(decoding: message).cpuUtilization == load)
      let count = load == 0.25 ? 1 : 2
      #expect(await eventually { site.sleeps.list.count == count })
      reports.cancel()
    }
    #expect(site.sleeps.list == [2_500_000, 2_500_000])
    #expect(await eventually { site.server.counters.callsOpen == 0 })
    await site.close()
  }
}
