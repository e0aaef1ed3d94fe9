internal import Base
package import Wire

/// `grpc.testing.TestService`: does what each request asks for, so that a client can see that it was done.
///
/// `UnimplementedCall`, and all of `UnimplementedService`, are missing on purpose. Beside it ORCA's service reports the
/// load that a request said.
package struct TestService: Sendable {
  package static let path = "/grpc.testing.TestService/"
  /// The largest response that may be asked for.
  private static let responseBytesMax = 16 << 20
  /// Load is reported no more often.
  private static let reportMicrosecondsMin: Int64 = 100_000

  private let serverID: String
  private let sleep: @Sendable (_ microseconds: Int64) async throws -> Void
  private let reported = ReportedLoad()

  /// `sleep` waits between the responses of a stream; a cancelled task ends it by throwing.
  package init(
    serverID: String = "marquee",
    sleep: @escaping @Sendable (_ microseconds: Int64) async throws -> Void = {
      try await Task.sleep(for: .microseconds($0))
    }
  ) {
    self.serverID = serverID
    self.sleep = sleep
  }

  package var methods: [RPCMethod] {
    [
      unary("EmptyCall") { call, _ in call.reply([]) },
      unary("UnaryCall", simple),
      unary("CacheableUnaryCall") { call, message throws(Fault) in
        call.setInitialMetadata(echoed(call, ["cache-control": "max-age=60, public"]))
        try simple(call, message)
      },
      streaming("StreamingOutputCall") { call, requests, writer in
        for try await message in requests { try await respond(call, message, writer) }
      },
      streaming("StreamingInputCall", collect),
      streaming("FullDuplexCall") { call, requests, writer in
        for try await message in requests { try await respond(call, message, writer) }
      },
      streaming("HalfDuplexCall") { call, requests, writer in
        var messages: [[UInt8]] = []
        for try await message in requests { messages.append(message) }
        for message in messages { try await respond(call, message, writer) }
      },
      RPCMethod(
        "/xds.service.orca.v3.OpenRcaService/StreamCoreMetrics", admits: .everyone, holdsDrain: false,
        .streaming { _, requests, writer in
          for try await message in requests {
            try await report(try LoadReportRequest(decoding: message).intervalMicroseconds, writer)
          }
        }),
    ]
  }

  // MARK: Metadata

  private func unary(
    _ name: String, _ answer: @escaping @Sendable (ServerCall, [UInt8]) throws(Fault) -> Void
  ) -> RPCMethod {
    RPCMethod(
      Self.path + name, admits: .everyone,
      .unary { call, message in
        echo(call)
        do throws(Fault) { try answer(call, message) } catch { call.fail(error) }
      })
  }

  private func streaming(
    _ name: String,
    _ answer: @escaping @Sendable (ServerCall, RequestStream, ResponseWriter) async throws -> Void
  ) -> RPCMethod {
    RPCMethod(
      Self.path + name, admits: .everyone,
      .streaming { call, requests, writer in
        echo(call)
        try await answer(call, requests, writer)
      })
  }

  /// Sends back the metadata that are to be sent back.
  private func echo(_ call: ServerCall) {
    let initial = echoed(call, [:])
    if !initial.isEmpty { call.setInitialMetadata(initial) }
    for bytes in call.metadata.bytes("x-grpc-test-echo-trailing-bin") {
      call.setTrailer("x-grpc-test-echo-trailing-bin", bytes: bytes)
    }
  }

  private func echoed(_ call: ServerCall, _ fields: [String: String]) -> Metadata {
    var initial = Metadata(fields)
    for text in call.metadata.texts("x-grpc-test-echo-initial") {
      initial.append("x-grpc-test-echo-initial", text)
    }
    if call.metadata["x-grpc-test-echo-useragent"] != nil {
      initial.append("x-grpc-test-echo-useragent", call.metadata["user-agent"] ?? "")
    }
    return initial
  }

  // MARK: Calls

  private func simple(_ call: ServerCall, _ message: [UInt8]) throws(Fault) {
    let request = try SimpleRequest(decoding: message)
    try Self.check(request.expectCompressed, wasCompressed: call.requestWasCompressed)
    try Self.checkStatus(request.responseStatus)
    var response = SimpleResponse()
    response.payload = try Self.payload(request.responseSize)
    if request.fillUsername { response.username = call.peer.uri ?? "" }
    if request.fillServerID { response.serverID = serverID }
    response.hostname = serverID
    if let report = request.orcaPerQueryReport {
      call.setTrailer("endpoint-load-metrics-bin", bytes: report.loadReport)
    }
    if request.responseCompressed?.value == true { call.compressReplies() }
    call.reply(response.bytes)
  }

  private func collect(
    _ call: ServerCall, _ requests: RequestStream, _ writer: ResponseWriter
  ) async throws {
    var response = StreamingInputCallResponse()
    var messages = requests.makeAsyncIterator()
    while let message = try await messages.next() {
      let request = try StreamingInputCallRequest(decoding: message)
      try Self.check(request.expectCompressed, wasCompressed: messages.wasCompressed)
      response.aggregatedPayloadSize &+= Int32(truncatingIfNeeded: request.payload?.body.count ?? 0)
    }
    try await writer.send(response.bytes)
  }

  private func respond(_ call: ServerCall, _ message: [UInt8], _ writer: ResponseWriter) async throws {
    let request = try StreamingOutputCallRequest(decoding: message)
    try Self.checkStatus(request.responseStatus)
    if let report = request.orcaOOBReport { reported.set(report) }
    // Announced before the first response, whichever of them is the first to be compressed.
    if request.responseParameters.contains(where: { $0.compressed?.value == true }) { call.compressReplies() }
    for parameters in request.responseParameters {
      if parameters.intervalMicroseconds > 0 { try await sleep(Int64(parameters.intervalMicroseconds)) }
      var response = StreamingOutputCallResponse()
      response.payload = try Self.payload(parameters.size)
      try await writer.send(response.bytes, compress: parameters.compressed?.value == true)
    }
  }

  /// One report now, and one each interval until the caller has enough.
  private func report(_ intervalMicroseconds: Int64, _ writer: ResponseWriter) async throws {
    while true {
      try await writer.send(reported.load.loadReport)
      try await sleep(max(intervalMicroseconds, Self.reportMicrosecondsMin))
    }
  }

  private static func payload(_ size: Int32) throws(Fault) -> Payload {
    guard 0...responseBytesMax ~= Int(size) else {
      throw Fault(.invalidArgument, "a response of \(size) bytes can't be asked for")
    }
    return Payload(zeros: Int(size))
  }

  private static func check(_ expected: BoolValue?, wasCompressed: Bool) throws(Fault) {
    guard let expected, expected.value != wasCompressed else { return }
    throw Fault(
      .invalidArgument,
      wasCompressed ? "the message was compressed, and should not be" : "the message was not compressed")
  }

  private static func checkStatus(_ status: EchoStatus?) throws(Fault) {
    guard let status, status.code != 0 else { return }
    throw Fault(Fault.Code(rawValue: Int(status.code)) ?? .unknown, status.message)
  }
}
