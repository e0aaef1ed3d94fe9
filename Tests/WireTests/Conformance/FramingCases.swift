@testable import Wire

extension ConformanceCase {
  private static let big = [UInt8](repeating: 0, count: 1 << 14)

  /// RFC 9113 3.4 to 4.3, 5.5 and 7.
  static let framing: [ConformanceCase] = [
    ConformanceCase(
      "3.4 another preface", Array("INVALID CONNECTION PREFACE\r\n\r\n".utf8), .closes, greets: false),
    ConformanceCase("3.4 HTTP/1.1", Array("GET / HTTP/1.1\r\nhost: x\r\n\r\n".utf8), .closes, greets: false),
    ConformanceCase(
      "3.4 a preface without SETTINGS", Raw.preface + Raw.ping(), .connection(protocolError), greets: false),
    ConformanceCase("4.1 a frame of an unknown kind", Raw.frame(0xff, stream: 0, [0, 1, 2, 3]), .lives),
    ConformanceCase("4.1 an unknown kind on an idle stream", Raw.frame(0x16, flags: 0xff, stream: 9), .lives),
    ConformanceCase("4.1 flags without a meaning") { peer in
      peer.send(Raw.frame(6, flags: 0x16, stream: 0, Array("12345678".utf8)))
      try await expectAnswer(peer)
    },
    ConformanceCase("4.1 the reserved bit is ignored") { peer in
      peer.send(Raw.frame(6, stream: Int32(bitPattern: 0x8000_0000), Array("12345678".utf8)))
      try await expectAnswer(peer)
    },
    ConformanceCase(
      "4.2 DATA of 2^14 bytes", Raw.headers(1, Raw.post, ends: false) + Raw.data(1, big), .answered(1)),
    ConformanceCase(
      "4.2 DATA of more than 2^14 bytes", Raw.headers(1, Raw.post, ends: false) + Raw.data(1, big + [0]),
      .connection(frameSizeError)),
    ConformanceCase(
      "4.2 HEADERS of more than 2^14 bytes",
      Raw.frame(1, flags: 5, stream: 1, Raw.block(Raw.get + [("a", String(repeating: "b", count: 1 << 14))])),
      .connection(frameSizeError)),
    ConformanceCase(
      "4.2 an unknown frame of more than 2^14 bytes", Raw.frame(0x42, stream: 0, big + [0]),
      .connection(frameSizeError)),
    ConformanceCase(
      "4.3 a header block that isn't one", Raw.frame(1, flags: 5, stream: 1, Array("test".utf8)),
      .connection([HTTP2Code.compressionError])),
    ConformanceCase(
      "4.3 PRIORITY inside a header block",
      Raw.headers(1, endsHeaders: false) + Raw.priority(1) + Raw.continuation(1), .connection(protocolError)),
    ConformanceCase(
      "4.3 HEADERS inside another stream's header block",
      Raw.headers(1, endsHeaders: false) + Raw.headers(3), .connection(protocolError)),
    ConformanceCase(
      "5.4.1 after a connection error the connection is closed", Raw.frame(6, stream: 3, big.suffix(8)),
      .connection(protocolError)),
    ConformanceCase("5.5 an unknown frame", Raw.frame(0x99, stream: 0, big.suffix(8)), .lives),
    ConformanceCase(
      "5.5 an unknown frame inside a header block",
      Raw.headers(1, endsHeaders: false) + Raw.frame(0x99, stream: 1, big.suffix(8)) + Raw.continuation(1),
      .connection(protocolError)),
    ConformanceCase(
      "7 GOAWAY with an unknown code", Raw.frame(7, stream: 0, Raw.number(0) + Raw.number(0xff)), .closes),
    ConformanceCase(
      "7 RST_STREAM with an unknown code", Raw.headers(1, ends: false) + Raw.reset(1, 0xff), .lives),
  ]

  /// The PING of these eight digits is answered.
  private static func expectAnswer(_ peer: FramePeer) async throws {
    let frame = try await peer.next(kind: 6)
    if frame?.flags != 1 || frame?.payload != Array("12345678".utf8) {
      throw RawPeer.Trouble(message: "no answer to the PING")
    }
  }

  private static let open = Raw.headers(1, Raw.call(EchoServer.collect), ends: false)

  /// RFC 9113 5.1 to 5.3.
  static let streams: [ConformanceCase] = [
    ConformanceCase("5.1 idle: DATA", Raw.data(1), .connection(protocolError)),
    ConformanceCase("5.1 idle: RST_STREAM", Raw.reset(1), .connection(protocolError)),
    ConformanceCase("5.1 idle: WINDOW_UPDATE", Raw.windowUpdate(1, 100), .connection(protocolError)),
    ConformanceCase("5.1 idle: CONTINUATION", Raw.continuation(1, Raw.get), .connection(protocolError)),
    ConformanceCase("5.1 half-closed: DATA", Raw.headers(1) + Raw.data(1), .stream(1, streamClosed)),
    ConformanceCase("5.1 half-closed: HEADERS", Raw.headers(1) + Raw.headers(1), .stream(1, streamClosed)),
    ConformanceCase(
      "5.1 half-closed: CONTINUATION", Raw.headers(1) + Raw.continuation(1, [("a", "b")]),
      .stream(1, streamClosedOrProtocolError)),
    ConformanceCase(
      "5.1 half-closed by DATA: DATA", open + Raw.data(1, []) + Raw.data(1, []), .stream(1, streamClosed)),
    ConformanceCase(
      "5.1 half-closed by trailers: DATA", open + Raw.headers(1, [("a", "b")]) + Raw.data(1, []),
      .stream(1, streamClosed)),
    ConformanceCase("5.1 reset: DATA", open + Raw.reset(1) + Raw.data(1), .stream(1, streamClosed)),
    ConformanceCase("5.1 reset: HEADERS", open + Raw.reset(1) + Raw.headers(1), .stream(1, streamClosed)),
    ConformanceCase(
      "5.1 reset: CONTINUATION", open + Raw.reset(1) + Raw.continuation(1, [("a", "b")]),
      .stream(1, streamClosedOrProtocolError)),
    ConformanceCase("5.1 closed: DATA") { peer in
      peer.send(Raw.headers(1))
      try await expect(.answered(1), peer)
      peer.send(Raw.data(1))
      try await expect(.connection(streamClosed), peer)
    },
    ConformanceCase("5.1 closed: HEADERS") { peer in
      peer.send(Raw.headers(1))
      try await expect(.answered(1), peer)
      peer.send(Raw.headers(1))
      try await expect(.connection(streamClosed), peer)
    },
    ConformanceCase("5.1 closed: CONTINUATION") { peer in
      peer.send(Raw.headers(1))
      try await expect(.answered(1), peer)
      peer.send(Raw.continuation(1, [("a", "b")]))
      try await expect(.connection(streamClosedOrProtocolError), peer)
    },
    ConformanceCase("5.1.1 an even number", Raw.headers(2), .connection(protocolError)),
    ConformanceCase(
      "5.1.1 a lower number than the last", Raw.headers(5) + Raw.headers(3), .connection(protocolError)),
    ConformanceCase("5.1.1 a lower number, later") { peer in
      peer.send(Raw.headers(1) + Raw.headers(7))
      try await expect(.answered(7), peer)
      peer.send(Raw.headers(5))
      try await expect(.connection(protocolError), peer)
    },
    ConformanceCase(
      "5.1.1 HEADERS on a half-closed stream", Raw.headers(5) + Raw.headers(5),
      .stream(5, streamClosed)),
    ConformanceCase(
      "5.1.1 DATA on a number that was passed over", Raw.headers(5) + Raw.data(3),
      .connection(streamClosed)),
    ConformanceCase("5.1.2 more streams than allowed") { peer in
      for index in 0..<129 {
        peer.send(Raw.headers(Int32(index * 2 + 1), Raw.call(EchoServer.hold), ends: false))
      }
      try await expect(.stream(257, protocolError + [HTTP2Code.refusedStream]), peer)
    },
    ConformanceCase("5.1.2 more half-closed streams than allowed", settings: [(4, 0)]) { peer in
      for index in 0..<129 { peer.send(Raw.headers(Int32(index * 2 + 1))) }
      try await expect(.stream(257, protocolError + [HTTP2Code.refusedStream]), peer)
    },
    ConformanceCase(
      "5.3.1 HEADERS that depend on themselves",
      Raw.frame(1, flags: 0x25, stream: 1, Raw.dependency(on: 1) + Raw.block(Raw.get)),
      .stream(1, protocolError)),
    ConformanceCase(
      "5.3.1 PRIORITY that depends on itself", Raw.priority(1, on: 1), .stream(1, protocolError)),
  ]
}
