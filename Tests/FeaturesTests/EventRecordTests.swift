import Base
import Testing

@testable import Features

@Suite("EventRecord")
struct EventRecordTests {
  private func record(_ event: Event) -> [UInt8] {
    var bytes: [UInt8] = []
    EventRecord.append(event, position: 7, groupStart: 40, to: &bytes)
    return bytes
  }

  private static let full = Event(
    id: "id-ключ", profileID: "profile", titleID: "title-🔑", kind: .progress,
    at: Timestamp(milliseconds: -1), progress: 0.25, surface: "home",
    requestID: String(repeating: "r", count: 128))

  @Test("what is read back is what was written", arguments: Event.Kind.allCases)
  func roundTrip(_ kind: Event.Kind) throws {
    var event = Self.full
    event.kind = kind
    for event in [event, Event(id: "i", profileID: "", titleID: "", kind: kind, at: testNow)] {
      // A byte before and one behind, so that the record is neither aligned nor alone.
      let bytes = [0xff] + record(event) + [0xff]
      try bytes.withUnsafeBytes { all in
        let record = try #require(EventRecord(at: 1, in: all))
        #expect(record.event(in: all) == event)
        #expect(record.position == 7)
        #expect(record.groupStart == 40)
        #expect(record.payload.upperBound == bytes.count - 1)
        #expect(record.idHash(in: all) == eventHash(event.id))
      }
    }
  }

  @Test("no record with one bit flipped or one byte less is taken")
  func damaged() {
    let good = record(Self.full)
    for bit in 0..<(good.count * 8) {
      var bytes = good
      bytes[bit / 8] ^= 1 << (bit % 8)
      #expect(bytes.withUnsafeBytes { EventRecord(at: 0, in: $0) == nil }, "bit \(bit)")
    }
    for count in 0..<good.count {
      #expect(good[..<count].withUnsafeBytes { EventRecord(at: 0, in: $0) == nil }, "\(count) bytes")
    }
  }

  @Test("a payload that is no event is not read, though its CRC is right")
  func foreignPayload() throws {
    let good = record(Self.full)
    for (offset, value) in [(24, UInt8(0)), (24, 200), (37, 0xff), (38, 0xff)] {
      var bytes = good
      bytes[offset] = value
      let crc = bytes[4...].withUnsafeBytes { CRC32C.shared.checksum($0) }
      withUnsafeBytes(of: crc.littleEndian) { for index in 0..<4 { bytes[index] = $0[index] } }
      try bytes.withUnsafeBytes { all in
        let record = try #require(EventRecord(at: 0, in: all))
        #expect(record.event(in: all) == nil)
      }
    }
  }
}

@Suite("CRC32C")
struct CRC32CTests {
  @Test("known answers: the check value, and RFC 3720's 32 zeros and 32 ones")
  func knownAnswers() {
    func checksum(_ bytes: [UInt8]) -> UInt32 { bytes.withUnsafeBytes { CRC32C.shared.checksum($0) } }
    #expect(checksum(Array("123456789".utf8)) == 0xe306_9283)
    #expect(checksum([UInt8](repeating: 0, count: 32)) == 0x8a91_36aa)
    #expect(checksum([UInt8](repeating: 0xff, count: 32)) == 0x62a8_ab43)
    #expect(checksum([]) == 0)
  }

  @Test("eight bytes at a time gives what one bit at a time gives, at every length and start")
  func slowTwin() {
    var random = SplitMix(seed: 5)
    let bytes = (0..<64).map { _ in UInt8.random(in: 0...255, using: &random) }
    for start in 0..<8 {
      for end in start...64 {
        var crc: UInt32 = ~0
        for byte in bytes[start..<end] {
          crc ^= UInt32(byte)
          for _ in 0..<8 { crc = crc & 1 == 1 ? (crc >> 1) ^ 0x82f6_3b78 : crc >> 1 }
        }
        #expect(bytes[start..<end].withUnsafeBytes { CRC32C.shared.checksum($0) } == ~crc)
      }
    }
  }
}

@Suite("KnownIDs")
struct KnownIDsTests {
  @Test("the oldest ids are forgotten first, and a known one takes no second place")
  func bounded() {
    var known = KnownIDs(countMax: 3)
    for hash in [1, 2, 2, 3, 4] as [UInt64] { known.insert(hash) }
    #expect(known.count == 3)
    #expect(!known.contains(1))
    #expect([2, 3, 4].allSatisfy { known.contains($0) })
    for hash in 5...100 as ClosedRange<UInt64> { known.insert(hash) }
    #expect(known.count == 3)
    #expect([98, 99, 100].allSatisfy { known.contains($0) })
  }
}
