import Base
import Testing
import Wire

/// What holds for every message.
@Suite struct CodecTests {
  private static let seed = UInt64.random(in: 0...UInt64.max)

  @Test("a value that was encoded is decoded to itself", arguments: CodecCase.all)
  func roundTrip(_ codec: CodecCase) throws {
    print("codec round trips: seed \(Self.seed)")
    var values = RandomValues(seed: Self.seed)
    for _ in 0..<60 { try codec.expectRoundTrip(&values) }
  }

  @Test("what we write is what protobuf-c writes, to the byte", arguments: CodecCase.all)
  func oracle(_ codec: CodecCase) {
    print("codec oracle: seed \(Self.seed)")
    var values = RandomValues(seed: Self.seed)
    for _ in 0..<60 {
      let bytes = codec.encoded(&values)
      let isSame = codec.repacked(bytes) == bytes
      #expect(isSame, "\(bytes.count) bytes, seed \(Self.seed)")
    }
  }

  @Test("mutated bytes are decoded or refused, and never more than that", arguments: CodecCase.all)
  func mutations(_ codec: CodecCase) {
    print("codec mutations: seed \(Self.seed)")
    var values = RandomValues(seed: Self.seed)
    var refused = 0
    for _ in 0..<150 {
      var bytes = codec.encoded(&values)
      for _ in 0...values.count(3) { mutate(&bytes, &values) }
      do { try codec.decode(bytes) } catch {
        refused += 1
        #expect(error.code == .invalidArgument || error.code == .internalError)
        #expect(error.message.hasPrefix("\(codec.testDescription): "))
      }
    }
    #expect(refused > 0)
  }

  @Test("a message cut anywhere is decoded or refused", arguments: CodecCase.all)
  func truncations(_ codec: CodecCase) {
    var values = RandomValues(seed: Self.seed)
    var bytes = codec.encoded(&values)
    while bytes.isEmpty || bytes.count > 4000 { bytes = codec.encoded(&values) }
    var refused = 0
    for count in 0..<bytes.count {
      do { try codec.decode(Array(bytes[..<count])) } catch { refused += 1 }
    }
    #expect(refused > 0)
  }

  @Test("fields of a newer peer are passed over, groups and bad tags are not", arguments: CodecCase.all)
  func unknownFields(_ codec: CodecCase) throws {
    var values = RandomValues(seed: Self.seed)
    let bytes = codec.encoded(&values)
    // Field 200 as each of the four wire types.
    try codec.decode(bytes + [0xc0, 0x0c, 5])
    try codec.decode(bytes + [0xc2, 0x0c, 3, 0, 0xff, 0])
    try codec.decode(bytes + [0xc1, 0x0c, 1, 2, 3, 4, 5, 6, 7, 8])
    try codec.decode(bytes + [0xc5, 0x0c, 1, 2, 3, 4])
    for bad: [UInt8] in [
      [0xc3, 0x0c, 0xc4, 0x0c], [0xc6, 0x0c], [0x00, 1], [0xc0, 0x0c, 0x80], [0xc1, 0x0c, 1],
      [0xc5, 0x0c, 1, 2],
      [0xc2, 0x0c, 9], [0xc2, 0x0c, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1],
      [0xc0, 0x0c, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1],
      [0xff, 0xff, 0xff, 0xff, 0xff, 0x0f],
    ] {
      #expect(throws: Fault.self, "\(bad)") { try codec.decode(bytes + bad) }
    }
  }

  @Test("a tag or a length of more than five bytes is refused, and by name", arguments: CodecCase.all)
  func longNumbers(_ codec: CodecCase) {
    // Field 200 with a length of zero in six bytes, and its tag in six: found by fuzzing, since protobuf-c refuses
    // both without a word.
    for (bytes, what) in [
      ([0xc2, 0x0c, 0x80, 0x80, 0x80, 0x80, 0x80, 0], "length"),
      ([0xc0, 0x8c, 0x80, 0x80, 0x80, 0, 5], "tag"),
    ] as [([UInt8], String)] {
      let message = "\(codec.testDescription): has a \(what) of more than 5 bytes"
      #expect { try codec.decode(bytes) } throws: { ($0 as? Fault)?.message == message }
    }
  }

  @Test("millions of tiny fields are refused before they cost memory", arguments: CodecCase.all)
  func manyFields(_ codec: CodecCase) {
    // Field 15, which no message has, 150,000 times.
    let bytes = [UInt8](repeating: 0x78, count: 300_000)
    // FleetStatus may have so many; every other message has far fewer.
    if codec.testDescription == "FleetStatus" { return }
    #expect(throws: Fault.self) { try codec.decode(bytes) }
  }

  private func mutate(_ bytes: inout [UInt8], _ values: inout RandomValues) {
    guard !bytes.isEmpty else { return bytes.append(UInt8(values.count(255))) }
    let at = values.count(bytes.count - 1)
    switch values.count(4) {
    case 0: bytes[at] = UInt8(values.count(255))
    case 1: bytes[at] ^= 1 << UInt8(values.count(7))
    case 2: bytes.removeSubrange(at..<min(bytes.count, at + 1 + values.count(6)))
    case 3: bytes.insert(contentsOf: values.bytes(6), at: at)
    default: bytes.insert(contentsOf: bytes[at..<min(bytes.count, at + 1 + values.count(40))], at: at)
    }
  }
}
