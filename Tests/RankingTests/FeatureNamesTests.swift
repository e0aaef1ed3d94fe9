import Base
import Testing

@testable import Ranking

@Suite("Feature names")
struct FeatureNamesTests {
  @Test(
    "names come back as they were, also those whose ends a line feed would join",
    arguments: [
      ["a"], ["a", "b c", "ü"], ["carriage\r", "\r", "\u{301}accent", "\u{200d}"], ["a\r\r", "\r\ra"],
    ])
  func roundTrip(names: [String]) throws {
    try FeatureNames.check(names, countMax: 9)
    let decoded = try FeatureNames.decode(FeatureNames.bytes(names), count: names.count, place: "here")
    #expect(decoded.map { Array($0.utf8) } == names.map { Array($0.utf8) })
  }

  @Test(
    "other bytes are refused",
    arguments: [
      [], [0x61], [0x0a], [0x61, 0x0a, 0x0a], [0x61, 0x0a, 0x61, 0x0a], [0xff, 0x0a, 0x61, 0x0a],
      [0x61, 0x0a],
    ])
  func refused(bytes: [UInt8]) {
    #expect(throws: Refusal.self) { try FeatureNames.decode(bytes, count: 2, place: "here") }
  }
}
