import Base
import Testing

@testable import Wire

/// What a client makes of frames that end or shorten a connection or a call.
@Suite struct ClientFramesTests {
  private static let ok = [(":status", "200"), ("content-type", "application/grpc")]

  /// The outcome of one unary call that is answered so on every connection.
  private func failure(_ steps: @escaping @Sendable (Int32) -> [RawServer.Step]) async throws -> CallFailure?
  {
    let server = try await RawServer { _, stream in steps(stream) }
    let client = try server.client()
    let failure = await outcome { () throws(CallFailure) in try await client.unary("/a.B/C", [1]) }
    await client.close()
    await server.close()
    return failure
  }

  @Test("a GOAWAY below an open call moves it to another connection; those it covers end where they are")
  func goAwayBelow() async throws {
    let server = try await RawServer { connection, stream in
      switch (connection, stream) {
      case (1, 1): []
      case (1, _): [.goAway(last: 1)] + RawServer.Step.answer(1, [1])
      default: RawServer.Step.answer(stream, [2])
      }
    }
    let client = try server.client()
    let calls = (0..<2).map { _ in Task { try await client.unary("/a.B/C", []).message } }
    var answers: [[UInt8]] = []
    for call in calls { answers.append(try await call.value) }
    #expect(Set(answers) == [[1], [2]])
    #expect(server.connectionCount == 2)
    await client.close()
    await server.close()
  }

  @Test("after the first GOAWAY of a drain open calls go on, and new ones go elsewhere")
  func drainNotice() async throws {
    let server = try await RawServer { connection, stream in
      connection == 1 ? [.headers(stream, Self.ok), .goAway(last: .max)] : RawServer.Step.answer(stream, [2])
    }
    let client = try server.client()
    let call = try await client.open("/a.B/C")
    _ = await call.initialMetadata()
    // The second connection's answer shows that the GOAWAY was seen.
    #expect(try await client.unary("/a.B/C", []).message == [2])
    #expect(call.failure == nil && call.trailers == nil)
    #expect(server.connectionCount == 2)
    await client.close()
    await server.close()
  }

  @Test("a server that sends every call away is tried twice, and the caller may go elsewhere")
  func goAwayAlways() async throws {
    let server = try await RawServer { _, _ in [.goAway(last: 0, code: HTTP2Code.enhanceYourCalm), .close] }
    let client = try server.client()
    let failure = await outcome { () throws(CallFailure) in try await client.unary("/a.B/C", [1]) }
    #expect(failure?.code == .unavailable && failure?.isSafeToRetry == true)
    #expect(server.connectionCount == 2)
    await client.close()
    await server.close()
  }

  @Test("a connection that ends under a call is unavailable, and nobody knows whether it was seen")
  func cutOff() async throws {
    for steps in [
      [RawServer.Step.close], [.goAway(last: 1), .close], [.goAway(last: .max, code: 2), .close],
    ] {
      let failure = try await failure { _ in steps }
      #expect(failure?.code == .unavailable && failure?.isSafeToRetry == false)
    }
    let late = try await failure { stream in [.headers(stream, Self.ok), .close] }
    #expect(late?.code == .unavailable && late?.isSafeToRetry == false)
  }

  @Test("every code of a reset has the status that gRPC gives it")
  func resets() async throws {
    for code in UInt32(0)...14 {
      let failure = try await failure { [.reset($0, code)] }
      let expected: Fault.Code =
        switch code {
        case 7: .unavailable
        case 8: .cancelled
        case 11: .resourceExhausted
        case 12: .permissionDenied
        default: .internalError
        }
      #expect(failure?.code == expected, "\(code)")
      #expect(failure?.isSafeToRetry == (code == 7), "\(code)")
    }
  }

  @Test("a reset that follows the status changes nothing")
  func resetAfterStatus() async throws {
    for code in [HTTP2Code.noError, HTTP2Code.cancel, HTTP2Code.internalError] {
      let failure = try await failure { RawServer.Step.answer($0, [1]) + [.reset($0, code)] }
      #expect(failure == nil)
    }
  }

  @Test("informational header lists are passed over")
  func informational() async throws {
    let failure = try await failure { stream in
      [.headers(stream, [(":status", "100")]), .headers(stream, [(":status", "103"), ("link", "x")])]
        + RawServer.Step.answer(stream, [1])
    }
    #expect(failure == nil)
  }

  @Test("a status in the only header list counts, whatever HTTP and the content-type say")
  func trailersOnly() async throws {
    for (status, type) in [("200", "application/grpc"), ("200", "text/html"), ("503", "application/grpc")] {
      let failure = try await failure { stream in
        [
          .headers(
            stream,
            [
              (":status", status), ("content-type", type), ("grpc-status", "5"),
              ("grpc-message", "no%20such"),
              ("x-note", "why"), ("x-blob-bin", "AQ,Ag=="),
            ], ends: true)
        ]
      }
      #expect(failure?.fault == Fault(.notFound, "no such", metadata: ["x-note": "why"]))
      #expect(failure?.trailers["x-note"] == "why")
      #expect(failure?.trailers.bytes("x-blob-bin") == [[1], [2]])
    }
  }

  @Test("a response of gRPC has a content-type of gRPC, in any case and with any suffix")
  func contentTypes() async throws {
    for (type, isGRPC) in [
      ("application/grpc", true), ("application/grpc+proto", true), ("application/grpc;x=y", true),
      ("Application/GRPC", true), ("application/grpcx", false), ("application/grpc-web", false), ("", false),
    ] {
      let failure = try await failure { stream in
        [
          .headers(stream, [(":status", "200"), ("content-type", type)]),
          .frame(type: 0, flags: 0, stream: stream, framed([1])),
          .headers(stream, [("grpc-status", "0")], ends: true),
        ]
      }
      #expect(failure?.code == (isGRPC ? nil : .unknown), "\(type)")
    }
  }

  @Test("a response that ends before its status, or in the middle of a message, does not end well")
  func unfinished() async throws {
    let cases: [(@Sendable (Int32) -> [RawServer.Step], Fault.Code)] = [
      ({ [.headers($0, Self.ok), .headers($0, [("x", "y")], ends: true)] }, .unknown),
      ({ [.headers($0, Self.ok), .frame(type: 0, flags: 1, stream: $0, framed([1]))] }, .unknown),
      (
        {
          [
            .headers($0, Self.ok), .frame(type: 0, flags: 0, stream: $0, framed([1, 2]).dropLast()),
            .headers($0, [("grpc-status", "0")], ends: true),
          ]
        }, .internalError
      ),
      (
        {
          [
            .headers($0, Self.ok), .frame(type: 0, flags: 0, stream: $0, framed([1, 2]).dropLast()),
            .headers($0, [("grpc-status", "6")], ends: true),
          ]
        }, .alreadyExists
      ),
    ]
    for (index, (steps, code)) in cases.enumerated() {
      let failure = try await failure(steps)
      #expect(failure?.code == code, "case \(index)")
    }
  }
}
