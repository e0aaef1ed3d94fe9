import Base
import Testing

@testable import Wire

@Suite struct CodingTests {
  @Test("metadata names are lower case and may repeat")
  func metadataNames() {
    var metadata = Metadata()
    metadata.append("X-One", "1")
    metadata.append("x-one", "2")
    metadata.append("x-bin", "text is not for -bin")
    metadata.append("grpc-status", "0")
    metadata.append("bad name", "x")
    metadata.append("te", "x")
    #expect(metadata.texts("X-ONE") == ["1", "2"])
    #expect(metadata.entries.count == 2)
  }

  @Test("binary metadata is written unpadded and read padded, unpadded and joined by commas")
  func binaryMetadata() {
    for count in 0..<20 {
      let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 57 &+ 3) }
      let text = Base64.encode(bytes)
      #expect(!text.contains(UInt8(ascii: "=")))
      #expect(Base64.decode(text[...]) == bytes)
      let padded = text + [UInt8](repeating: UInt8(ascii: "="), count: (4 - text.count % 4) % 4)
      #expect(Base64.decode(padded[...]) == bytes)
    }
    for bad in ["A", "AAA*", "AA=", "AAAAA", "=", "A==="] {
      #expect(Base64.decode(Array(bad.utf8)[...]) == nil, "\(bad)")
    }
    var block = HeaderBlock()
    block.append("x-bin", "AQ==,Ag, Aw")
    #expect(Metadata(decoding: block).bytes("x-bin") == [[1], [2], [3]])
    block.append("y-bin", "?")
    #expect(!Metadata.hasReadableBytes(block))
  }

  @Test("text that is not printable ASCII travels as question marks")
  func unprintableText() {
    var metadata = Metadata()
    metadata.append("x", "a\u{e9}\r\nb")
    #expect(metadata["x"] == "a???b")
  }

  @Test("spaces at the ends of a text, which HTTP/2 forbids, don't travel")
  func outerSpaces() {
    for (text, sent) in [(" a", "a"), ("a ", "a"), ("  a b  ", "a b"), (" ", ""), ("   ", ""), ("", "")] {
      var metadata = Metadata()
      metadata.append("x", text)
      #expect(metadata["x"] == sent, "\(text.debugDescription)")
    }
  }

  @Test("grpc-message survives any text, and bad encodings never fail")
  func percentCoding() {
    for text in ["", "plain", "100 %", "\t\r\n", "Zürich ☕ 😀", "%41", " ", "  ", " a b "] {
      #expect(PercentCoding.decode(PercentCoding.encode(text)[...]) == text)
    }
    #expect(String(decoding: PercentCoding.encode("a%\u{e9}"), as: UTF8.self) == "a%25%C3%A9")
    #expect(String(decoding: PercentCoding.encode("  a b "), as: UTF8.self) == "%20 a b%20")
    #expect(PercentCoding.decode(Array("%4".utf8)[...]) == "%4")
    #expect(PercentCoding.decode(Array("%zz%41%".utf8)[...]) == "%zzA%")
    #expect(PercentCoding.decode(Array("%ff".utf8)[...]) == "\u{fffd}")
    #expect(PercentCoding.encode(String(repeating: "☕", count: 10_000)).count <= 4096)
  }

  @Test("timeouts have at most eight digits and one unit")
  func timeouts() {
    func decode(_ text: String) -> UInt64? { CallTimeout.decode(Array(text.utf8)[...]) }
    #expect(decode("1n") == 1)
    #expect(decode("20m") == 20_000_000)
    #expect(decode("99999999S") == 99_999_999_000_000_000)
    #expect(decode("99999999H") == .max)
    for bad in ["", "1", "S", "-1S", "+1S", "1.5S", "123456789S", "1s", "1 S", " 1S", "1SS", "٣S"] {
      #expect(decode(bad) == nil, "\(bad)")
    }
    for nanoseconds: UInt64 in [1, 99_999_999, 100_000_000, 50_000_000_000, 123_456_789_012_345, .max / 2] {
      let decoded = decode(CallTimeout.encode(nanoseconds: nanoseconds)) ?? 0
      #expect(decoded >= nanoseconds && decoded - nanoseconds <= nanoseconds / 100_000 + 1)
    }
  }

  @Test("messages are found however the bytes are cut")
  func deframing() throws {
    let sent: [[UInt8]] = [[], [1], Array(repeating: 7, count: 300), [], [9, 9]]
    let bytes = sent.flatMap(framed)
    for cut in 0...bytes.count {
      var deframer = MessageDeframer(messageBytesMax: 1000, side: .server, encoding: .identity)
      var got: [WireMessage] = []
      try deframer.push(bytes[..<cut], into: &got)
      try deframer.push(bytes[cut...], into: &got)
      #expect(got.map(\.bytes) == sent)
      #expect(deframer.isBetweenMessages)
    }
    var deframer = MessageDeframer(messageBytesMax: 1000, side: .server, encoding: .identity)
    var got: [WireMessage] = []
    for byte in bytes { try deframer.push([byte][...], into: &got) }
    #expect(got.map(\.bytes) == sent)
  }

  @Test("a deframer that gives a message up holds nothing of it, and reads the next one")
  func givenUp() throws {
    var deframer = MessageDeframer(messageBytesMax: 1 << 20, side: .server, encoding: .identity)
    var messages: [WireMessage] = []
    try deframer.push(framed([UInt8](repeating: 1, count: 1000))[..<900], into: &messages)
    #expect(deframer.partialCount == 900)
    deframer.discard()
    #expect(deframer.partialCount == 0)
    #expect(deframer.isBetweenMessages)
    try deframer.push(framed([2, 3])[...], into: &messages)
    #expect(messages == [WireMessage([2, 3])])
  }

  @Test(
    "compression that nobody announced, that nobody knows, and lengths over the limit each have their code")
  func badFrames() {
    func code(_ bytes: [UInt8], _ encoding: MessageEncoding = .identity) -> Fault.Code? {
      var deframer = MessageDeframer(messageBytesMax: 10, side: .server, encoding: encoding)
      var got: [WireMessage] = []
      do { try deframer.push(bytes[...], into: &got) } catch { return error.code }
      return nil
    }
    #expect(code([1, 0, 0, 0, 1, 0]) == .internalError)
    #expect(code([1, 0, 0, 0, 1, 0], .unknown("br")) == .unimplemented)
    #expect(code([0, 0, 0, 0, 1, 0], .unknown("br")) == nil)
    #expect(code([2, 0, 0, 0, 1, 0]) == .internalError)
    #expect(code([0, 0, 0, 0, 11]) == .resourceExhausted)
    #expect(code([0, 0xff, 0xff, 0xff, 0xff]) == .resourceExhausted)
  }

  @Test("a body leaves whole through buffers of any size")
  func bodies() {
    let sent: [[UInt8]] = [[], [1], Array(repeating: 7, count: 300), [9, 9]]
    for size in 1...40 {
      let body = OutboundBody(hasTrailers: true, reportsReads: false)
      for message in sent { body.append(message) }
      var got: [UInt8] = []
      var buffer = [UInt8](repeating: 0, count: size)
      while body.pendingCount > 0 {
        let count = buffer.withUnsafeMutableBytes { body.read(into: $0) }
        got += buffer[..<count]
      }
      #expect(got == sent.flatMap(framed))
    }
  }

  private static func collected(_ fields: [(String, String)], into collector: inout HeaderCollector) {
    collector.removeAll()
    for (name, value) in fields {
      Array(name.utf8).withUnsafeBufferPointer { name in
        Array(value.utf8).withUnsafeBufferPointer {
          collector.add(name: name, value: $0, listBytesMax: 1 << 20)
        }
      }
    }
  }

  @Test("header blocks are the same only with the same names and values in the same order")
  func sameFields() {
    var collector = HeaderCollector()
    func isSame(_ one: [(String, String)], _ two: [(String, String)]) -> Bool {
      Self.collected(one, into: &collector)
      let block = collector.block()
      Self.collected(two, into: &collector)
      return collector.isEqual(to: block)
    }
    let one = [("a", "bc"), ("d", "e")]
    #expect(isSame(one, [("a", "bc"), ("d", "e")]))
    #expect(isSame([], []))
    // The same bytes, cut otherwise.
    #expect(!isSame(one, [("ab", "c"), ("d", "e")]))
    #expect(!isSame(one, [("a", "bcd"), ("e", "")]))
    #expect(!isSame(one, [("abcd", "e")]))
    #expect(!isSame(one, [("a", "bc"), ("d", "f")]))
    #expect(!isSame(one, [("d", "e"), ("a", "bc")]))
    #expect(!isSame(one, [("a", "bc")]))
    // Requests that differ in their timeouts alone are the same but for those.
    #expect(isSame(one + [("grpc-timeout", "1S")], [("grpc-timeout", "20m")] + one))
    #expect(collector.timeout == .nanoseconds(20_000_000))
  }

  @Test("a header block of any size is collected whole, and of two timeouts the first counts")
  func collector() {
    let fields = (0..<200).map { ("name-\($0)", String(repeating: "v", count: $0)) }
    var collector = HeaderCollector()
    Self.collected(
      [("grpc-timeout", "7n")] + fields + [("grpc-timeout", "8n"), ("grpc-timeout", "x")], into: &collector)
    let block = collector.block()
    #expect(block.indices.count == 200)
    for (index, (name, value)) in fields.enumerated() {
      #expect(block.name(index).elementsEqual(name.utf8) && block.value(index).elementsEqual(value.utf8))
    }
    let isLarge = collector.isLarge
    collector.giveBack()
    let staysLarge = collector.isLarge
    #expect(isLarge && !staysLarge && collector.timeout == .nanoseconds(7))
    Self.collected([("grpc-timeout", "1x")], into: &collector)
    #expect(collector.timeout == .malformed && collector.block().isEmpty)
  }

  @Test("a method is found by its whole path only")
  func methodTable() {
    let paths = (0..<50).map { "/a.B/M\($0)" }
    let table = MethodTable(paths.map { RPCMethod($0, admits: .everyone, .unary { _, _ in }) })
    for path in paths { #expect(table[Array(path.utf8)[...]]?.path == path) }
    for path in ["", "/", "/a.B/M", "/a.B/M50", "/a.B/M1 ", "a.B/M1"] {
      #expect(table[Array(path.utf8)[...]] == nil)
    }
  }
}

/// With its 5-byte prefix.
func framed(_ message: [UInt8]) -> [UInt8] {
  let size = message.count
  return [0] + [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: size >> $0) } + message
}
