@testable import Wire

extension ConformanceCase {
  /// What every server must take.
  static let generic: [ConformanceCase] = [
    ConformanceCase("the preface is answered by SETTINGS before anything else", greets: false) { peer in
      peer.send(Raw.preface + Raw.settings([(4, 65_535)]))
      let first = try await peer.next()
      if first?.kind != 4 || first?.flags != 0 { throw RawPeer.Trouble(message: "another frame first") }
    },
    ConformanceCase(
      "PRIORITY on an idle stream, then a request", Raw.priority(1) + Raw.headers(1), .answered(1)),
    // Without a window the stream can't end before the frame comes.
    ConformanceCase("WINDOW_UPDATE on a half-closed stream", settings: [(4, 0)]) { peer in
      peer.send(Raw.headers(1) + Raw.windowUpdate(1, 1))
      try await expectByte(peer)
    },
    ConformanceCase("PRIORITY on a half-closed stream", settings: [(4, 0)]) { peer in
      peer.send(Raw.headers(1) + Raw.priority(1) + Raw.windowUpdate(1, 1))
      try await expectByte(peer)
    },
    ConformanceCase("RST_STREAM on a half-closed stream", settings: [(4, 0)]) { peer in
      peer.send(Raw.headers(1) + Raw.reset(1))
      try await expect(.lives, peer)
    },
    ConformanceCase("PRIORITY, WINDOW_UPDATE and RST_STREAM on a closed stream") { peer in
      peer.send(Raw.headers(1))
      try await expect(.answered(1), peer)
      peer.send(Raw.priority(1) + Raw.windowUpdate(1, 1) + Raw.reset(1))
      try await expect(.lives, peer)
    },
    ConformanceCase("one DATA frame", Raw.headers(1, Raw.post, ends: false) + Raw.data(1), .answered(1)),
    ConformanceCase(
      "several DATA frames", Raw.headers(1, Raw.post, ends: false) + Raw.data(1, ends: false) + Raw.data(1),
      .answered(1)),
    ConformanceCase(
      "DATA with padding",
      Raw.headers(1, Raw.post, ends: false) + Raw.frame(0, flags: 9, stream: 1, [3, 1, 2, 3, 4, 0, 0, 0]),
      .answered(1)),
    ConformanceCase("HEADERS", Raw.headers(1), .answered(1)),
    ConformanceCase(
      "HEADERS with padding", Raw.frame(1, flags: 13, stream: 1, [2] + Raw.block(Raw.get) + [0, 0]),
      .answered(1)),
    ConformanceCase(
      "HEADERS with a priority",
      Raw.frame(1, flags: 0x25, stream: 1, Raw.dependency(on: 0) + Raw.block(Raw.get)), .answered(1)),
    ConformanceCase(
      "HEADERS with padding and a priority",
      Raw.frame(1, flags: 0x2d, stream: 1, [1] + Raw.dependency(on: 0) + Raw.block(Raw.get) + [0]),
      .answered(1)),
    ConformanceCase(
      "PRIORITY with the least weight", Raw.priority(1, weight: 0) + Raw.headers(1), .answered(1)),
    ConformanceCase(
      "PRIORITY with the most weight", Raw.priority(1, weight: 255) + Raw.headers(1), .answered(1)),
    ConformanceCase("PRIORITY on another stream", Raw.priority(3, on: 1) + Raw.headers(1), .answered(1)),
    ConformanceCase(
      "PRIORITY that excludes others", Raw.priority(3, on: 1, exclusive: true) + Raw.headers(1), .answered(1)),
    ConformanceCase(
      "PRIORITY for an idle stream, then a request on a lower one", Raw.priority(7, on: 3) + Raw.headers(5),
      .answered(5)),
    ConformanceCase(
      "RST_STREAM on an open stream", Raw.headers(1, ends: false) + Raw.reset(1) + Raw.headers(3),
      .answered(3)),
    ConformanceCase("SETTINGS are acknowledged") { peer in
      // Each that RFC 9113 defines, with a value that it may have.
      peer.send(Raw.settings([(1, 4096), (2, 1), (3, 100), (4, 65_535), (5, 16_384), (6, 100)]))
      while let frame = try await peer.next(kind: 4) { if frame.flags & 1 != 0 { return } }
      try await expect(.lives, peer)
    },
    ConformanceCase("PING is answered", Raw.ping("12345678"), .lives),
    ConformanceCase("GOAWAY", Raw.frame(7, stream: 0, Raw.number(0) + Raw.number(0)), .closes),
    ConformanceCase("WINDOW_UPDATE on the connection", Raw.windowUpdate(0, 1) + Raw.headers(1), .answered(1)),
    ConformanceCase(
      "WINDOW_UPDATE on a stream", Raw.headers(1, ends: false) + Raw.windowUpdate(1, 1) + Raw.data(1),
      .answered(1)),
    ConformanceCase(
      "one CONTINUATION", Raw.headers(1, endsHeaders: false) + Raw.continuation(1, [("a", "b")]), .answered(1)
    ),
    ConformanceCase(
      "several CONTINUATIONs",
      Raw.headers(1, endsHeaders: false) + Raw.continuation(1, [("a", "b")], endsHeaders: false)
        + Raw.continuation(1, [("c", "d")]), .answered(1)),
    ConformanceCase("one CONTINUATION that goes on in the middle of a field", split(at: [5]), .answered(1)),
    ConformanceCase(
      "several CONTINUATIONs that go on in the middle of a field", split(at: [5, 10]), .answered(1)),
    ConformanceCase("GET", Raw.headers(1), .answered(1)),
    ConformanceCase("HEAD is answered without a body") { peer in
      peer.send(Raw.headers(1, [(":method", "HEAD")] + Raw.get.dropFirst()))
      let end = try await peer.end(stream: 1)
      if end?.kind != 1 { throw RawPeer.Trouble(message: "a body") }
    },
    ConformanceCase("POST", Raw.headers(1, Raw.post, ends: false) + Raw.data(1), .answered(1)),
    ConformanceCase(
      "POST with trailers",
      Raw.headers(1, Raw.post, ends: false) + Raw.data(1, ends: false) + Raw.headers(1, [("x", "y")]),
      .answered(1)),
    ConformanceCase(
      "a call", Raw.headers(1, Raw.call(EchoServer.unary), ends: false) + Raw.data(1, framed([1])),
      .answered(1)),
    ConformanceCase(
      "a call with trailers",
      Raw.headers(1, Raw.call(EchoServer.unary), ends: false) + Raw.data(1, framed([1]), ends: false)
        + Raw.headers(1, [("x", "y")]), .answered(1)),
    ConformanceCase("late trailers for a stream that was ended here do no harm") { peer in
      peer.send(Raw.headers(1, Raw.call("/no/Method"), ends: false))
      try await expect(.answered(1), peer)
      _ = try await peer.next(kind: 3, stream: 1)
      peer.send(Raw.data(1, ends: false) + Raw.headers(1, [("x", "y")]) + Raw.headers(3))
      try await expect(.answered(3), peer)
    },
  ]

  /// Of the answer to stream 1 the first byte comes, alone.
  private static func expectByte(_ peer: FramePeer) async throws {
    let frame = try await peer.next(kind: 0, stream: 1)
    if frame?.payload.count != 1 { throw RawPeer.Trouble(message: "no DATA of one byte") }
  }

  /// A request whose header block is cut at these bytes.
  private static func split(at cuts: [Int]) -> [UInt8] {
    let block = Raw.block(Raw.get)
    let ends = cuts + [block.count]
    var bytes = Raw.frame(1, flags: 1, stream: 1, Array(block[..<cuts[0]]))
    for (start, end) in zip(cuts, ends.dropFirst()) {
      bytes += Raw.frame(9, flags: end == block.count ? 4 : 0, stream: 1, Array(block[start..<end]))
    }
    return bytes
  }
}
