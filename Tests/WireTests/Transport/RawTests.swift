import Base
import Testing

@testable import Wire

/// What no honest client says.
@Suite struct RawTests {
  @Test("another content-type gets HTTP 415, another method 405")
  func notGRPC() async throws {
    let echo = try await EchoServer()
    let raw = try RawPeer(port: echo.port)
    for (index, type) in ["application/json", "application/grpcx", "text/plain", nil].enumerated() {
      let stream = Int32(index * 2 + 1)
      raw.request(EchoServer.unary, type: type, body: framed([]), stream: stream)
      let reply = try await raw.receive(stream: stream)
      #expect(reply.status == "415")
      #expect(reply.field("grpc-status") == nil)
    }
    raw.request(EchoServer.unary, method: "PUT", body: framed([]), stream: 9)
    #expect(try await raw.receive(stream: 9).status == "405")
    for (stream, type) in [(Int32(11), "application/grpc+proto"), (13, "application/grpc;charset=utf-8")] {
      raw.request(EchoServer.unary, type: type, body: framed([5]), stream: stream)
      #expect(try await raw.receive(stream: stream).body == framed([5]))
    }
    raw.close()
    await echo.server.drain()
  }

  @Test("headers that can't be understood are refused with the code that gRPC gives them")
  func badHeaders() async throws {
    let echo = try await EchoServer()
    let raw = try RawPeer(port: echo.port)
    let cases: [([(String, String)], Fault.Code)] = [
      ([("grpc-timeout", "5")], .invalidArgument),
      ([("grpc-timeout", "123456789m")], .invalidArgument),
      ([("x-bin", "*")], .internalError),
    ]
    for (index, (extra, code)) in cases.enumerated() {
      let stream = Int32(index * 2 + 1)
      raw.request(EchoServer.unary, extra: extra, body: framed([]), stream: stream)
      let reply = try await raw.receive(stream: stream)
      #expect(reply.status == "200")
      #expect(reply.field("grpc-status") == "\(code.rawValue)")
    }
    raw.close()
    await echo.server.drain()
  }

  @Test("a unary call with no message, two messages, half a message or compression without a name fails")
  func badBodies() async throws {
    let echo = try await EchoServer()
    let raw = try RawPeer(port: echo.port)
    let cases: [([UInt8]?, Fault.Code)] = [
      (nil, .unimplemented),
      ([], .unimplemented),
      (framed([1]) + framed([2]), .unimplemented),
      ([0, 0, 0], .internalError),
      ([0, 0, 0, 0, 9, 1], .internalError),
      ([1, 0, 0, 0, 1, 1], .internalError),
      ([0, 0xff, 0xff, 0xff, 0xff], .resourceExhausted),
    ]
    for (index, (body, code)) in cases.enumerated() {
      let stream = Int32(index * 2 + 1)
      raw.request(EchoServer.unary, body: body, stream: stream)
      #expect(
        try await raw.receive(stream: stream).field("grpc-status") == "\(code.rawValue)", "case \(index)")
    }
    // The connection is as good as before.
    raw.request(EchoServer.unary, body: framed([8]), stream: 101)
    #expect(try await raw.receive(stream: 101).body == framed([8]))
    raw.close()
    await echo.server.drain()
  }

  @Test("a message arrives however its bytes are cut into DATA frames and writes")
  func everyCut() async throws {
    let echo = try await EchoServer()
    let raw = try RawPeer(port: echo.port)
    let body = framed([1, 2, 3])
    var stream: Int32 = 1
    for cut in 0...body.count {
      raw.request(EchoServer.unary, body: nil, stream: stream, ends: false)
      raw.data(Array(body[..<cut]), stream: stream, ends: false)
      raw.data(Array(body[cut...]), stream: stream, ends: true)
      #expect(try await raw.receive(stream: stream).body == body)
      stream += 2
    }
    raw.request(EchoServer.unary, body: nil, stream: stream, ends: false)
    for byte in raw.frame(type: 0, flags: 1, stream: stream, body) { raw.send([byte]) }
    #expect(try await raw.receive(stream: stream).body == body)
    raw.close()
    await echo.server.drain()
  }

  @Test("a status before the client has finished is followed by RST_STREAM with NO_ERROR")
  func earlyStatus() async throws {
    let echo = try await EchoServer()
    let raw = try RawPeer(port: echo.port)
    raw.request("/test.Echo/Nothing", body: framed([1]), stream: 1, ends: false)
    let reply = try await raw.receive(stream: 1)
    #expect(reply.field("grpc-status") == "12")
    // A stream that is open on one side only counts among the concurrent ones: a full house of them shows that
    // each was reset.
    for index in 1...200 {
      let stream = Int32(index * 2 + 1)
      raw.request("/test.Echo/Nothing", body: framed([1]), stream: stream, ends: false)
      #expect(try await raw.receive(stream: stream).field("grpc-status") == "12")
    }
    raw.close()
    await echo.server.drain()
  }

  @Test("a header list over the limit gets 431 and resourceExhausted, and the connection goes on")
  func longHeaders() async throws {
    let echo = try await EchoServer()
    let raw = try RawPeer(port: echo.port)
    let extra = (0..<20).map { ("x-\($0)", String(repeating: "a", count: 500)) }
    raw.request(EchoServer.unary, extra: extra, body: framed([]), stream: 1)
    let reply = try await raw.receive(stream: 1)
    #expect(reply.status == "431")
    #expect(reply.field("grpc-status") == "8")
    raw.request(EchoServer.unary, body: framed([]), stream: 3)
    #expect(try await raw.receive(stream: 3).status == "200")
    raw.close()
    await echo.server.drain()
  }

  @Test("what isn't HTTP/2 is closed")
  func notHTTP2() async throws {
    let echo = try await EchoServer()
    let raw = try RawPeer(port: echo.port, speaks: false)
    raw.send(Array("GET / HTTP/1.1\r\nhost: x\r\n\r\n".utf8))
    #expect(await raw.waitForEnd())
    raw.close()
    await echo.server.drain()
  }
}
