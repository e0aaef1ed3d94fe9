@testable import Wire

extension ConformanceCase {
  private static let eight = [UInt8](repeating: 0, count: 8)
  private static let post = Raw.headers(1, Raw.post, ends: false)
  private static let call = Raw.headers(1, Raw.call(EchoServer.hold), ends: false)

  /// RFC 9113 6.
  static let frames: [ConformanceCase] = data + settings + others + windows + continuations

  private static let data: [ConformanceCase] = [
    ConformanceCase("6.1 DATA on stream 0", Raw.data(0), .connection(protocolError)),
    ConformanceCase(
      "6.1 DATA on a half-closed stream", Raw.headers(1) + Raw.data(1), .stream(1, streamClosed)),
    ConformanceCase(
      "6.1 DATA with more padding than bytes", post + Raw.frame(0, flags: 9, stream: 1, [6, 1, 2, 3, 4]),
      .connection(protocolError)),
    ConformanceCase(
      "6.1 padded DATA without a byte", post + Raw.frame(0, flags: 9, stream: 1),
      .connection(protocolError + frameSizeError)),
    ConformanceCase(
      "6.2 HEADERS without an end, then PRIORITY", Raw.headers(1, endsHeaders: false) + Raw.priority(3),
      .connection(protocolError)),
    ConformanceCase(
      "6.2 HEADERS without an end, then another's", Raw.headers(1, endsHeaders: false) + Raw.headers(3),
      .connection(protocolError)),
    ConformanceCase("6.2 HEADERS on stream 0", Raw.headers(0), .connection(protocolError)),
    ConformanceCase(
      "6.2 HEADERS with more padding than bytes",
      Raw.frame(1, flags: 13, stream: 1, [200] + Raw.block(Raw.get)),
      .connection(protocolError)),
    ConformanceCase(
      "6.2 HEADERS too short for their priority", Raw.frame(1, flags: 0x25, stream: 1, [0, 0]),
      .connection(frameSizeError + protocolError)),
    ConformanceCase("6.3 PRIORITY on stream 0", Raw.priority(0, on: 1), .connection(protocolError)),
    ConformanceCase(
      "6.3 PRIORITY of four bytes", Raw.headers(1) + Raw.frame(2, stream: 1, [0, 0, 0, 1]),
      .stream(1, frameSizeError)),
    ConformanceCase("6.4 RST_STREAM on stream 0", Raw.reset(0), .connection(protocolError)),
    ConformanceCase("6.4 RST_STREAM on an idle stream", Raw.reset(1), .connection(protocolError)),
    ConformanceCase(
      "6.4 RST_STREAM of three bytes", call + Raw.frame(3, stream: 1, [0, 0, 0]),
      .connection(frameSizeError)),
  ]

  private static let settings: [ConformanceCase] = [
    ConformanceCase(
      "6.5 an ACK with values", Raw.frame(4, flags: 1, stream: 0, [0]), .connection(frameSizeError)),
    ConformanceCase(
      "6.5 SETTINGS on a stream", Raw.frame(4, stream: 1, [0, 3, 0, 0, 0, 100]), .connection(protocolError)),
    ConformanceCase(
      "6.5 SETTINGS of three bytes", Raw.frame(4, stream: 0, [0, 3, 0]), .connection(frameSizeError)),
    ConformanceCase(
      "6.5 an ACK that nobody asked for", Raw.frame(4, flags: 1, stream: 0), .connection(protocolError)),
    ConformanceCase("6.5.2 ENABLE_PUSH of 2", Raw.settings([(2, 2)]), .connection(protocolError)),
    ConformanceCase(
      "6.5.2 INITIAL_WINDOW_SIZE of 2^31", Raw.settings([(4, 1 << 31)]), .connection(flowControlError)),
    ConformanceCase(
      "6.5.2 MAX_FRAME_SIZE under 2^14", Raw.settings([(5, 16_383)]), .connection(protocolError)),
    ConformanceCase("6.5.2 MAX_FRAME_SIZE of 2^24", Raw.settings([(5, 1 << 24)]), .connection(protocolError)),
    ConformanceCase("6.5.2 an unknown setting", Raw.settings([(0xff, 1)]), .lives),
    ConformanceCase("6.5.3 of one setting twice the last counts") { peer in
      peer.send(Raw.settings([(4, 100), (4, 1)]) + Raw.headers(1))
      try await expectData(1, count: 1, peer)
    },
    ConformanceCase("6.5.3 SETTINGS are acknowledged at once") { peer in
      peer.send(Raw.settings())
      while let frame = try await peer.next(kind: 4) { if frame.flags & 1 != 0 { return } }
      throw RawPeer.Trouble(message: "no acknowledgement")
    },
  ]

  private static let others: [ConformanceCase] = [
    ConformanceCase(
      "6.6 PUSH_PROMISE from a client",
      post + Raw.frame(5, flags: 4, stream: 1, Raw.number(2) + Raw.block(Raw.get)),
      .connection(protocolError)),
    ConformanceCase("6.7 PING is answered with its bytes", [], .lives),
    ConformanceCase("6.7 the answer to a PING is not answered") { peer in
      peer.send(Raw.ping("no reply", acknowledges: true) + Raw.ping())
      let answer = try await peer.next(kind: 6)
      if answer?.payload != Array("12345678".utf8) { throw RawPeer.Trouble(message: "another answer") }
    },
    ConformanceCase("6.7 PING on a stream", Raw.frame(6, stream: 1, eight), .connection(protocolError)),
    ConformanceCase(
      "6.7 PING of six bytes", Raw.frame(6, stream: 0, eight.suffix(6)), .connection(frameSizeError)),
    ConformanceCase(
      "6.8 GOAWAY on a stream", Raw.frame(7, stream: 1, eight), .connection(protocolError)),
    ConformanceCase(
      "6.8 GOAWAY of four bytes", Raw.frame(7, stream: 0, eight.suffix(4)), .connection(frameSizeError)),
  ]

  /// The stream's first DATA frame has `count` bytes.
  private static func expectData(_ stream: Int32, count: Int, _ peer: FramePeer) async throws {
    let frame = try await peer.next(kind: 0, stream: stream)
    if frame?.payload.count != count {
      throw RawPeer.Trouble(message: "DATA of \(frame?.payload.count ?? -1), not \(count)")
    }
  }

  private static let windows: [ConformanceCase] = [
    ConformanceCase("6.9 WINDOW_UPDATE of 0", Raw.windowUpdate(0, 0), .connection(protocolError)),
    ConformanceCase(
      "6.9 WINDOW_UPDATE of 0 on a stream", call + Raw.windowUpdate(1, 0), .stream(1, protocolError)),
    ConformanceCase(
      "6.9 WINDOW_UPDATE of three bytes", Raw.frame(8, stream: 0, [0, 0, 1]), .connection(frameSizeError)),
    ConformanceCase("6.9.1 a window of one byte is kept to", settings: [(4, 1)]) { peer in
      peer.send(Raw.headers(1))
      try await expectData(1, count: 1, peer)
    },
    ConformanceCase(
      "6.9.1 the connection's window over 2^31-1",
      Raw.windowUpdate(0, 0x7fff_ffff) + Raw.windowUpdate(0, 0x7fff_ffff),
      .connection(flowControlError)),
    ConformanceCase(
      "6.9.1 a stream's window over 2^31-1",
      call + Raw.windowUpdate(1, 0x7fff_ffff) + Raw.windowUpdate(1, 0x7fff_ffff),
      .reset(1, HTTP2Code.flowControlError)),
    ConformanceCase("6.9.2 a window that opens after the request", settings: [(4, 0)]) { peer in
      peer.send(Raw.headers(1))
      _ = try await peer.next(kind: 1, stream: 1)
      peer.send(Raw.settings([(4, 1)]))
      try await expectData(1, count: 1, peer)
    },
    ConformanceCase("6.9.2 a window below zero is made good first", settings: [(4, 3)]) { peer in
      peer.send(Raw.headers(1))
      try await expectData(1, count: 3, peer)
      peer.send(Raw.settings([(4, 2)]) + Raw.windowUpdate(1, 2))
      try await expectData(1, count: 1, peer)
    },
    ConformanceCase("6.9.2 a setting that takes a window over 2^31-1") { peer in
      peer.send(call + Raw.windowUpdate(1, 0x7fff_0000) + Raw.settings([(4, 0x7fff_ffff)]))
      try await expect(.stream(1, flowControlError), peer)
    },
    ConformanceCase("6.9.1 more DATA than the window") { peer in
      peer.send(Raw.headers(1, Raw.call(EchoServer.flood), ends: false))
      // Its handler takes no message, so the window stays shut.
      let message = framed([UInt8](repeating: 0, count: (1 << 14) - 5))
      for _ in 0..<20 { peer.send(Raw.data(1, message, ends: false)) }
      try await expect(.stream(1, flowControlError), peer)
    },
  ]

  private static let continuations: [ConformanceCase] = [
    ConformanceCase(
      "6.10 several CONTINUATIONs",
      Raw.headers(1, endsHeaders: false) + Raw.continuation(1, endsHeaders: false) + Raw.continuation(1),
      .answered(1)),
    ConformanceCase(
      "6.10 DATA inside a header block", Raw.headers(1, ends: false, endsHeaders: false) + Raw.data(1),
      .connection(protocolError)),
    ConformanceCase(
      "6.10 DATA behind a CONTINUATION that isn't the last",
      Raw.headers(1, ends: false, endsHeaders: false) + Raw.continuation(1, endsHeaders: false) + Raw.data(1),
      .connection(protocolError)),
    ConformanceCase(
      "6.10 CONTINUATION behind whole HEADERS that end the stream",
      Raw.headers(1) + Raw.continuation(1, [("a", "b")]), .connection(protocolError)),
    ConformanceCase(
      "6.10 CONTINUATION on stream 0", Raw.headers(1, endsHeaders: false) + Raw.continuation(0),
      .connection(protocolError)),
    ConformanceCase(
      "6.10 CONTINUATION on another stream", Raw.headers(1, endsHeaders: false) + Raw.continuation(3),
      .connection(protocolError)),
    ConformanceCase(
      "6.10 CONTINUATION behind whole HEADERS", Raw.headers(1, Raw.post, ends: false) + Raw.continuation(1),
      .connection(protocolError)),
    ConformanceCase(
      "6.10 CONTINUATION behind the last one",
      Raw.headers(1, ends: false, endsHeaders: false) + Raw.continuation(1) + Raw.continuation(1),
      .connection(protocolError)),
    ConformanceCase(
      "6.10 CONTINUATION behind DATA",
      Raw.headers(1, Raw.post, ends: false) + Raw.data(1, ends: false) + Raw.continuation(1),
      .connection(protocolError)),
  ]
}
