@testable import Wire

extension ConformanceCase {
  private static func get(_ fields: [UInt8]) -> [UInt8] {
    Raw.frame(1, flags: 5, stream: 1, Raw.block(Raw.get) + fields)
  }

  private static func start(_ bytes: [UInt8]) -> [UInt8] {
    Raw.frame(1, flags: 5, stream: 1, bytes + Raw.block(Raw.get))
  }

  /// RFC 7541.
  static let compression: [ConformanceCase] = literals + blocks

  /// `user-agent: agent` or `x-word: agent`, in each of the representations of a literal.
  private static let literals: [ConformanceCase] = {
    let kinds: [(String, prefix: Int, lead: UInt8)] = [
      ("with indexing", 6, 0x40), ("without indexing", 4, 0), ("never indexed", 4, 0x10),
    ]
    let plain = (Raw.literal("user-agent"), Raw.literal("x-word"), Raw.literal("agent"))
    let huffman: ([UInt8], [UInt8], [UInt8]) = (
      [0x87, 0xb5, 0x05, 0xb1, 0x61, 0xcc, 0x5a, 0x93], [0x85, 0xf2, 0xb7, 0x83, 0xd9, 0x27],
      [0x84, 0x1c, 0xc5, 0xa9, 0x3f]
    )
    return kinds.flatMap { kind, prefix, lead in
      [("plain", plain), ("Huffman-coded", huffman)].flatMap { coding, strings in
        let (known, new, value) = strings
        // `user-agent` is the static table's 58th.
        let index = Raw.integer(58, bits: prefix, lead: lead)
        return [
          ConformanceCase("literal \(kind), an indexed name, \(coding)", get(index + value), .answered(1)),
          ConformanceCase("literal \(kind), a new name, \(coding)", get([lead] + new + value), .answered(1)),
          ConformanceCase(
            "literal \(kind), a name of the table that is spelt out, \(coding)", get([lead] + known + value),
            .answered(1)),
        ]
      }
    }
  }()

  private static let blocks: [ConformanceCase] = [
    ConformanceCase(
      "literal with indexing, used again", get([0x40] + Raw.literal("a") + Raw.literal("b") + [0xbe]),
      .answered(1)),
    ConformanceCase("an indexed field of the static table", get([0xba]), .answered(1)),
    ConformanceCase(
      "indexed fields", Raw.frame(1, flags: 5, stream: 1, [0x82, 0x86, 0x84, 0x41, 1, 0x61]), .answered(1)),
    ConformanceCase("a table size update", start([0x20]), .answered(1)),
    ConformanceCase("two table size updates", start([0x20, 0x3f, 0xe1, 0x1f]), .answered(1)),
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
      "5.2 an end-of-string in the middle of a Huffman-coded string",
      get([0x00, 1, 0x61, 0x86, 0x1f, 0xff, 0xff, 0xff, 0xf8, 0xff]), .connection(compressionError)),
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
