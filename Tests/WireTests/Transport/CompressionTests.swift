import Base
import Testing

@testable import Wire

/// Messages that travel gzipped, from the headers to the handler and back.
@Suite struct CompressionTests {
  private static let text = [UInt8](repeating: 7, count: 10_000)

  /// Answers with the request; gzipped where `x-compress` says so, with what the handler saw in its trailers.
  private static func methods(_ seen: Seen) -> [RPCMethod] {
    [
      RPCMethod(
        "/test.Gzip/Unary", admits: .everyone,
        .unary { call, message in
          if call.metadata["x-compress"] != nil { call.compressReplies() }
          call.setTrailer("x-was-compressed", "\(call.requestWasCompressed)")
          call.reply(message)
        }),
      RPCMethod("/test.Gzip/Hold", admits: .everyone, .unary { call, _ in seen.hold(call) }),
      RPCMethod(
        "/test.Gzip/Chat", admits: .everyone,
        .streaming { call, requests, writer in
          if call.metadata["x-compress"] != nil { seen.note("compresses \(call.compressReplies())") }
          var messages = requests.makeAsyncIterator()
          while let message = try await messages.next() {
            // As each request came.
            try await writer.send(message, compress: messages.wasCompressed)
            if call.metadata["x-late"] != nil { seen.note("late \(call.compressReplies())") }
          }
        }),
    ]
  }

  private func start(_ limits: WireLimits = WireLimits()) async throws -> (Server, Int, Seen) {
    let seen = Seen()
    let server = Server(
      configuration: ServerConfiguration(host: "127.0.0.1", port: 0, tls: nil, limits: limits),
      methods: Self.methods(seen), time: SystemTime())
    return (server, try await server.start().port, seen)
  }

  private func connect(_ port: Int) throws -> ClientConnection {
    try ClientConnection(host: "127.0.0.1", port: port, tls: nil, time: SystemTime(), loops: sharedLoops)
  }

  private static let compress = Metadata(["x-compress": "1"])

  @Test("a unary call is compressed each way as each side asks")
  func unary() async throws {
    let (server, port, _) = try await start()
    let client = try connect(port)
    for asks in [false, true] {
      for compresses in [false, true] {
        let reply = try await client.unary(
          "/test.Gzip/Unary", Self.text, metadata: asks ? Self.compress : Metadata(), compresses: compresses)
        #expect(reply.message == Self.text)
        #expect(reply.wasCompressed == asks)
        #expect(reply.trailers["x-was-compressed"] == "\(compresses)")
      }
    }
    await client.close()
    await server.drain()
    #expect(server.counters.bytesBuffered == 0)
  }

  @Test("a streaming call's messages are compressed one by one")
  func streaming() async throws {
    let (server, port, seen) = try await start()
    let client = try connect(port)
    let call = try await client.open("/test.Gzip/Chat", metadata: Self.compress, compresses: true)
    var responses = call.responses.makeAsyncIterator()
    for compress in [true, false, false, true] {
      try await call.send(Self.text, compress: compress)
      #expect(try await responses.next() == Self.text)
      #expect(responses.wasCompressed == compress)
    }
    call.finishSending()
    #expect(try await responses.next() == nil)
    #expect(call.failure == nil)
    #expect(seen.has("compresses true"))
    await client.close()
    await server.drain()
    #expect(server.counters.bytesBuffered == 0)
  }

  @Test("replies can't be compressed once one is out that wasn't")
  func tooLate() async throws {
    let (server, port, seen) = try await start()
    let client = try connect(port)
    let call = try await client.open("/test.Gzip/Chat", metadata: Metadata(["x-late": "1"]), compresses: true)
    var responses = call.responses.makeAsyncIterator()
    for _ in 0..<2 {
      try await call.send(Self.text)
      #expect(try await responses.next() == Self.text)
      #expect(!responses.wasCompressed)
    }
    #expect(seen.has("late false"))
    call.finishSending()
    #expect(try await responses.next() == nil)
    await client.close()
    await server.drain()
  }

  @Test("a reply is gzipped for a caller that takes gzip only, and its headers say so")
  func accepted() async throws {
    let (server, port, _) = try await start()
    let raw = try RawPeer(port: port)
    let body = framed(Self.text)
    let cases: [(accepts: String?, isGzipped: Bool)] = [
      (nil, false), ("identity", false), ("identity,deflate", false), ("gzipped", false), ("", false),
      ("gzip", true), ("identity, gzip", true), ("deflate,gzip ,identity", true),
    ]
    var stream: Int32 = 1
    for (accepts, isGzipped) in cases {
      let extra = [("x-compress", "1")] + (accepts.map { [("grpc-accept-encoding", $0)] } ?? [])
      raw.request("/test.Gzip/Unary", extra: extra, body: body, stream: stream)
      let reply = try await raw.receive(stream: stream)
      #expect(reply.field("grpc-status") == "0")
      #expect(reply.field("grpc-encoding") == (isGzipped ? "gzip" : nil), "\(accepts ?? "none")")
      #expect(reply.body.first == (isGzipped ? 1 : 0))
      if isGzipped {
        #expect(try Gzip.inflate(Array(reply.body.dropFirst(5)), bytesMax: 1 << 20) == Self.text)
      } else {
        #expect(reply.body == body)
      }
      stream += 2
    }
    // Nobody asked: the everyday headers.
    raw.request("/test.Gzip/Unary", extra: [("grpc-accept-encoding", "gzip")], body: body, stream: stream)
    let plain = try await raw.receive(stream: stream)
    #expect(plain.body == body)
    #expect(plain.field("grpc-encoding") == nil && plain.field("grpc-accept-encoding") == nil)
    raw.close()
    await server.drain()
  }

  @Test("an encoding that isn't known is unimplemented, with those that are; what isn't compressed is read")
  func unknownEncoding() async throws {
    let (server, port, _) = try await start()
    let raw = try RawPeer(port: port)
    var stream: Int32 = 1
    for method in ["Unary", "Chat"] {
      for encoding in ["deflate", "br", "GZIP", "gzip,identity", ""] {
        let extra = [("grpc-encoding", encoding)]
        raw.request("/test.Gzip/\(method)", extra: extra, body: [1] + framed([1]).dropFirst(), stream: stream)
        let refused = try await raw.receive(stream: stream)
        #expect(refused.field("grpc-status") == "12", "\(method) \(encoding)")
        #expect(refused.field("grpc-accept-encoding") == "identity,gzip")
        raw.request("/test.Gzip/\(method)", extra: extra, body: framed([1]), stream: stream + 2)
        let read = try await raw.receive(stream: stream + 2)
        #expect(read.field("grpc-status") == "0" && read.body == framed([1]))
        #expect(read.field("grpc-accept-encoding") == "identity,gzip")
        stream += 4
      }
    }
    raw.close()
    await server.drain()
  }

  /// Marked as compressed.
  private func marked(_ message: [UInt8]) -> [UInt8] { [1] + framed(message).dropFirst() }

  @Test(
    "a mark without an encoding, and gzip that is broken or cut off, are internal errors of their call alone")
  func broken() async throws {
    let (server, port, _) = try await start()
    let raw = try RawPeer(port: port)
    let packed = try #require(Gzip.deflate(Self.text))
    let bodies: [(encoding: String?, message: [UInt8])] = [
      (nil, packed), ("identity", packed), ("gzip", []), ("gzip", [1, 2, 3]), ("gzip", Self.text),
      ("gzip", packed.dropLast()), ("gzip", packed + [0]),
    ]
    var stream: Int32 = 1
    for method in ["Unary", "Chat"] {
      for (encoding, message) in bodies {
        let extra = encoding.map { [("grpc-encoding", $0)] } ?? []
        raw.request("/test.Gzip/\(method)", extra: extra, body: marked(message), stream: stream)
        let reply = try await raw.receive(stream: stream)
        #expect(
          reply.field("grpc-status") == "13", "\(method), \(message.count) bytes of \(encoding ?? "none")")
        stream += 2
      }
      raw.request(
        "/test.Gzip/\(method)", extra: [("grpc-encoding", "gzip")], body: marked(packed), stream: stream)
      #expect(try await raw.receive(stream: stream).body == framed(Self.text))
      stream += 2
    }
    raw.close()
    await server.drain()
    #expect(server.counters.bytesBuffered == 0)
  }

  @Test("a message that is longer inside than it may be is resourceExhausted")
  func bomb() async throws {
    var limits = WireLimits()
    limits.messageBytesMax = 20_000
    let (server, port, _) = try await start(limits)
    let raw = try RawPeer(port: port)
    let bomb = try #require(Gzip.deflate([UInt8](repeating: 0, count: 15_000_000)))
    #expect(bomb.count < 16_000)
    let whole = try #require(Gzip.deflate([UInt8](repeating: 0, count: 20_000)))
    var stream: Int32 = 1
    for method in ["Unary", "Chat"] {
      for (message, status) in [(bomb, "8"), (whole, "0")] {
        let extra = [("grpc-encoding", "gzip")]
        raw.request("/test.Gzip/\(method)", extra: extra, body: marked(message), stream: stream)
        #expect(try await raw.receive(stream: stream).field("grpc-status") == status, "\(method)")
        stream += 2
      }
    }
    raw.close()
    await server.drain()
  }

  @Test("what handlers hold of small messages that were large inside counts for their connection")
  func manyBombs() async throws {
    var limits = WireLimits()
    limits.connectionBufferedBytesMax = 1_000_000
    let (server, port, seen) = try await start(limits)
    let raw = try RawPeer(port: port)
    let packed = try #require(Gzip.deflate([UInt8](repeating: 0, count: 300_000)))
    for index in 0..<10 {
      raw.request(
        "/test.Gzip/Hold", extra: [("grpc-encoding", "gzip")], body: marked(packed),
        stream: Int32(index * 2 + 1))
    }
    #expect(await eventually { seen.heldCount == 3 && server.counters.callsFailed == 7 })
    #expect(server.counters.bytesBuffered <= 1_000_000)
    seen.letGo()
    #expect(await eventually { server.counters.callsOpen == 0 && server.counters.bytesBuffered == 0 })
    raw.close()
    await server.drain()
  }
}

/// Responses that no good server compresses so.
@Suite struct CompressedResponseTests {
  private func failure(
    _ encoding: String?, _ message: [UInt8], streams: Bool
  ) async throws -> CallFailure? {
    let server = try await ScriptedServer { session, stream in
      var headers = HeaderBlock.everydayResponse
      if let encoding { headers.append("grpc-encoding", encoding) }
      let body = OutboundBody(hasTrailers: true, reportsReads: false)
      body.append(WireMessage(bytes: message, isCompressed: true))
      if streams {
        body.append([1])
      } else {
        body.finish()
      }
      session.respond(stream: stream, headers: headers, body: body)
    }
    let client = try server.client()
    let failure: CallFailure?
    if streams {
      let call = try await client.open("/a.B/C")
      call.finishSending()
      await #expect(throws: Fault.self) { for try await _ in call.responses {} }
      #expect(await eventually { call.failure != nil })
      failure = call.failure
    } else {
      failure = await outcome { () throws(CallFailure) in try await client.unary("/a.B/C", [1]) }
    }
    await client.close()
    await server.close()
    return failure
  }

  @Test("each is an internal error or over the limit, and ends the call", arguments: [false, true])
  func strange(streams: Bool) async throws {
    let packed = try #require(Gzip.deflate([UInt8](repeating: 0, count: 1000)))
    let bomb = try #require(Gzip.deflate([UInt8](repeating: 0, count: 5_000_000)))
    let cases: [(String?, [UInt8], Fault.Code)] = [
      (nil, packed, .internalError), ("identity", packed, .internalError), ("br", packed, .internalError),
      ("gzip", [1, 2, 3], .internalError), ("gzip", packed.dropLast(), .internalError),
      ("gzip", bomb, .resourceExhausted),
    ]
    for (encoding, message, code) in cases {
      let failure = try await failure(encoding, message, streams: streams)
      #expect(failure?.code == code, "\(encoding ?? "none")")
    }
  }
}
