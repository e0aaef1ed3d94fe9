import Base
import Testing

@testable import Ranking

@Suite("NumPy's files")
struct NPYFileTests {
  @Test("what is written is read")
  func roundTrip() throws {
    let rows: [Float] = [1, 2.5, -3, .infinity, 5, 6]
    let table = try NPYFile.read(MappedBytes(copying: NPYFile.bytes(rows, columns: 3)), name: "x.npy")
    #expect(table.shape == [2, 3] && table.values == rows)
    let numbers = try NPYFile.read(MappedBytes(copying: NPYFile.bytes([7, -8, 9])), name: "x.npy")
    #expect(numbers.shape == [3] && numbers.values == [7, -8, 9])
    #expect(NPYFile.bytes(rows, columns: 3).count % 8 == 0)
  }

  @Test("whole numbers stay whole, however large, and others are refused with their place")
  func wholeNumbers() throws {
    let large = [1 << 40, (1 << 40) + 1, -3]
    #expect(try NPYFile.readWhole(MappedBytes(copying: NPYFile.bytes(large)), name: "x.npy") == large)
    #expect(
      try NPYFile.readWhole(MappedBytes(copying: NPYFile.bytes([7, 8] as [Float])), name: "x.npy") == [7, 8])
    for wrong in [Float.nan, .infinity, 0.5, 1e30] {
      let refusal = #expect(throws: Refusal.self) {
        try NPYFile.readWhole(MappedBytes(copying: NPYFile.bytes([1, wrong])), name: "x.npy")
      }
      #expect(refusal?.place == "x.npy element 1")
    }
  }

  @Test("files that are cut, of other types or of no shape are refused")
  func refusals() {
    let whole = NPYFile.bytes([1, 2, 3, 4] as [Float], columns: 2)
    for count in 0..<whole.count {
      #expect(throws: Refusal.self) {
        try NPYFile.read(MappedBytes(copying: Array(whole.prefix(count))), name: "x.npy")
      }
    }
    for (old, new) in [
      ("<f4", "<c8"), ("(2, 2)", "(2, 9)"), ("(2, 2)", "(2 2)"), ("(2, 2)", "(-2,)"), ("False", "True "),
    ] {
      var bytes = whole
      guard let place = whole.firstRange(of: Array(old.utf8)) else {
        Issue.record("there is no \(old)")
        continue
      }
      bytes.replaceSubrange(place, with: Array(new.utf8))
      #expect(throws: Refusal.self) { try NPYFile.read(MappedBytes(copying: bytes), name: "x.npy") }
    }
  }
}
