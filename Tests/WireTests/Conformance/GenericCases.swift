@testable import Wire

extension ConformanceCase {
  /// What every server must take.
  static let generic: [ConformanceCase] = [
    ConformanceCase("the preface is answered by SETTINGS", Raw.settings(), .lives),
    ConformanceCase(
      "PRIORITY on an idle stream, then a request", Raw.priority(1) + Raw.headers(1), .answered(1)),
    ConformanceCase(
      "WINDOW_UPDATE on a half-closed stream", Raw.headers(1) + Raw.windowUpdate(1, 1), .answered(1)),
    ConformanceCase("PRIORITY on a half-closed stream", Raw.headers(1) + Raw.priority(1), .answered(1)),
    ConformanceCase("RST_STREAM on a half-closed stream", Raw.headers(1) + Raw.reset(1), .lives),
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
      peer.send(Raw.settings([(3, 100)]))
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

  // MARK: RFC 7541

  private static func get(_ fields: [UInt8]) -> [UInt8] {
    Raw.frame(1, flags: 5, stream: 1, Raw.block(Raw.get) + fields)
  }

  private static func start(_ bytes: [UInt8]) -> [UInt8] {
    Raw.frame(1, flags: 5, stream: 1, bytes + Raw.block(Raw.get))
  }

  static let compression: [ConformanceCase] = [
    ConformanceCase(
      "indexed fields", Raw.frame(1, flags: 5, stream: 1, [0x82, 0x86, 0x84, 0x41, 1, 0x61]), .answered(1)),
    ConformanceCase(
      "literal with indexing, an indexed name", get([0x7a] + Raw.literal("agent")), .answered(1)),
    ConformanceCase(
      "literal with indexing, a new name", get([0x40] + Raw.literal("a") + Raw.literal("b") + [0xbe]),
      .answered(1)),
    ConformanceCase(
      "literal without indexing, an indexed name", get([0x0f, 0x2b] + Raw.literal("agent")), .answered(1)),
    ConformanceCase(
      "literal without indexing, a new name", get([0x00] + Raw.literal("a") + Raw.literal("b")), .answered(1)),
    ConformanceCase(
      "literal never indexed, an indexed name", get([0x1f, 0x2b] + Raw.literal("agent")), .answered(1)),
    ConformanceCase(
      "literal never indexed, a new name", get([0x10] + Raw.literal("a") + Raw.literal("b")), .answered(1)),
    ConformanceCase("a table size update", start([0x20]), .answered(1)),
    ConformanceCase("two table size updates", start([0x20, 0x3f, 0xe1, 0x1f]), .answered(1)),
    // "www.example.com" in RFC 7541 C.4.1.
    ConformanceCase(
      "a Huffman-coded string",
      get([0x00, 1, 0x61, 0x8c, 0xf1, 0xe3, 0xc2, 0xe5, 0xf2, 0x3a, 0x6b, 0xa0, 0xab, 0x90, 0xf4, 0xff]),
      .answered(1)),
    ConformanceCase("2.3.3 an index behind the tables", get([0xc6]), .connection(compressionError)),
    ConformanceCase(
      "2.3.3 a literal whose name's index is behind the tables", get([0x7f, 0x17] + Raw.literal("x")),
      .connection(compressionError)),
    ConformanceCase("4.2 a table size update at the end", get([0x20]), .connection(compressionError)),
    ConformanceCase(
      "5.2 Huffman padding of more than seven bits", get([0x00, 1, 0x61, 0x83, 0x1d, 0xff, 0xff]),
      .connection(compressionError)),
    ConformanceCase(
      "5.2 Huffman padding of zeros", get([0x00, 1, 0x61, 0x81, 0x18]), .connection(compressionError)),
    ConformanceCase(
      "5.2 a Huffman-coded end-of-string", get([0x00, 1, 0x61, 0x84, 0xff, 0xff, 0xff, 0xff]),
      .connection(compressionError)),
    ConformanceCase(
      "5.1 an integer without end", get([0xff] + [UInt8](repeating: 0xff, count: 12)),
      .connection(compressionError)),
    ConformanceCase(
      "5.2 a string longer than its block", get([0x00, 0x7f, 0x50, 0x61]), .connection(compressionError)),
    ConformanceCase("6.1 the index 0", get([0x80]), .connection(compressionError)),
    ConformanceCase(
      "6.3 a table size over the one that was agreed", start([0x3f, 0xe2, 0x1f]),
      .connection(compressionError)),
    ConformanceCase(
      "4.3 a block that breaks off", Raw.frame(1, flags: 5, stream: 1, [0x40, 0x01]),
      .connection(compressionError)),
  ]
}
