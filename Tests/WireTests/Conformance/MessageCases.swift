@testable import Wire

extension ConformanceCase {
  private static func bad(_ name: String, _ fields: [(String, String)], ends: Bool = true) -> ConformanceCase
  {
    ConformanceCase(name, Raw.headers(1, fields, ends: ends), .stream(1, protocolError))
  }

  private static func get(without name: String) -> [(String, String)] { Raw.get.filter { $0.0 != name } }

  private static let call = Raw.call(EchoServer.unary)

  /// RFC 9113 8.
  static let messages: [ConformanceCase] = pseudo + fields + bodies

  private static let pseudo: [ConformanceCase] = [
    bad("8.3 an unknown pseudo-header", [(":test", "ok")] + Raw.get),
    bad("8.3 a response's pseudo-header", Raw.get + [(":status", "200")]),
    ConformanceCase(
      "8.3 a pseudo-header in trailers",
      Raw.headers(1, call, ends: false) + Raw.headers(1, [(":method", "200")]), .stream(1, protocolError)),
    bad("8.3 a pseudo-header behind a field", [("x-test", "ok")] + Raw.get),
    bad("8.3.1 an empty :path", get(without: ":path") + [(":path", "")]),
    bad("8.3.1 a :path without a slash", get(without: ":path") + [(":path", "here")]),
    bad("8.3.1 no :method", get(without: ":method")),
    bad("8.3.1 no :scheme", get(without: ":scheme")),
    bad("8.3.1 no :path", get(without: ":path")),
    bad("8.3.1 no pseudo-header at all", [("a", "b")]),
    bad("8.3.1 two :method", [(":method", "GET")] + Raw.get),
    bad("8.3.1 two :scheme", [(":scheme", "http")] + Raw.get),
    bad("8.3.1 two :path", [(":path", "/")] + Raw.get),
    bad("8.3.1 two :authority", Raw.get + [(":authority", "localhost")]),
    bad("8.3.1 an :authority with a user", get(without: ":authority") + [(":authority", "me@localhost")]),
    bad("8.3.1 a host that isn't the :authority", Raw.get + [("host", "elsewhere")]),
    ConformanceCase(
      "8.3.1 a host that is the :authority", Raw.headers(1, Raw.get + [("host", "localhost")]), .answered(1)),
    bad("8.3.1 a :method with a blank", get(without: ":method") + [(":method", "GE T")]),
    bad("8.5 CONNECT with a :path", get(without: ":method") + [(":method", "CONNECT")]),
  ]

  private static let fields: [ConformanceCase] = [
    bad("8.2.1 an upper-case name", Raw.get + [("X-TEST", "ok")]),
    bad("8.2.1 a name with a blank", Raw.get + [("x test", "ok")]),
    bad("8.2.1 a name with a byte over 0x7f", Raw.get + [("x-t\u{e9}", "ok")]),
    bad("8.2.1 a name with a colon", Raw.get + [("x:y", "ok")]),
    bad("8.2.1 an empty name", Raw.get + [("", "ok")]),
    bad("8.2.1 a value with a NUL", Raw.get + [("x", "a\0b")]),
    bad("8.2.1 a value with a CR", Raw.get + [("x", "a\rb")]),
    bad("8.2.1 a value with an LF", Raw.get + [("x", "a\nb")]),
    bad("8.2.1 a value that begins with a blank", Raw.get + [("x", " a")]),
    bad("8.2.1 a value that ends with a tab", Raw.get + [("x", "a\t")]),
    bad("8.2.2 connection", Raw.get + [("connection", "keep-alive")]),
    bad("8.2.2 keep-alive", Raw.get + [("keep-alive", "1")]),
    bad("8.2.2 proxy-connection", Raw.get + [("proxy-connection", "keep-alive")]),
    bad("8.2.2 transfer-encoding", Raw.get + [("transfer-encoding", "chunked")]),
    bad("8.2.2 upgrade", Raw.get + [("upgrade", "h2c")]),
    bad("8.2.2 te other than trailers", Raw.get + [("trailers", "test"), ("te", "trailers, deflate")]),
    ConformanceCase("8.2.2 te: trailers", Raw.headers(1, Raw.get + [("te", "trailers")]), .answered(1)),
    ConformanceCase(
      "8.2.2 connection in trailers",
      Raw.headers(1, call, ends: false) + Raw.headers(1, [("connection", "close")]), .stream(1, protocolError)
    ),
  ]

  private static let length = Raw.post + [("content-length", "1")]

  private static let bodies: [ConformanceCase] = [
    ConformanceCase(
      "8.1 trailers that don't end the stream",
      Raw.headers(1, call, ends: false) + Raw.headers(1, [("x", "y")], ends: false), .stream(1, protocolError)
    ),
    ConformanceCase(
      "8.1 trailers behind DATA that don't end the stream",
      Raw.headers(1, Raw.post, ends: false) + Raw.data(1, ends: false)
        + Raw.headers(1, [("x-test", "ok")], ends: false), .stream(1, protocolError)),
    ConformanceCase(
      "8.1.1 a content-length and another body", Raw.headers(1, length, ends: false) + Raw.data(1),
      .stream(1, protocolError)),
    ConformanceCase(
      "8.1.1 a content-length and another body in several frames",
      Raw.headers(1, length, ends: false) + Raw.data(1, ends: false) + Raw.data(1), .stream(1, protocolError)),
    bad("8.1.1 a content-length and no body", length),
    bad("8.1.1 two content-lengths", length + [("content-length", "1")]),
    bad("8.1.1 a content-length that is no number", Raw.post + [("content-length", "one")]),
    ConformanceCase("8.1.1 a body that comes late and is another length") { peer in
      peer.send(Raw.headers(1, length, ends: false))
      try await expect(.lives, peer)
      peer.send(Raw.data(1))
      try await expect(.stream(1, protocolError), peer)
    },
    ConformanceCase(
      "8.1.1 the body that was announced", Raw.headers(1, length, ends: false) + Raw.data(1, [1]),
      .answered(1)),
    ConformanceCase(
      "8.4 PUSH_PROMISE on an idle stream",
      Raw.frame(5, flags: 4, stream: 1, Raw.number(3) + Raw.block(Raw.get)), .connection(protocolError)),
    ConformanceCase(
      "8.4 PUSH_PROMISE from a client",
      Raw.headers(1, Raw.post, ends: false)
        + Raw.frame(5, flags: 4, stream: 1, Raw.number(2) + Raw.block(Raw.get)), .connection(protocolError)),
  ]
}
