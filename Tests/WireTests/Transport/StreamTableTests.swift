import Base
import Testing

@testable import Wire

struct StreamTableTests {
  @Test("a stream table holds what a dictionary would, whatever numbers a peer chooses", arguments: 1...20)
  func asDictionary(seed: UInt64) {
    var random = SplitMix(seed: seed)
    var table = StreamTable<Int>()
    var truth: [Int32: Int] = [:]
    // Some seeds give numbers that all fall on one place.
    let step: Int32 = seed.isMultiple(of: 2) ? 2 : 4096
    for turn in 0..<2000 {
      let number = 1 + step * Int32.random(in: 0..<150, using: &random)
      if Bool.random(using: &random) {
        table.set(number, turn)
        truth[number] = turn
      } else {
        #expect(table.remove(number) == truth.removeValue(forKey: number), "seed \(seed)")
      }
      let other = 1 + step * Int32.random(in: 0..<150, using: &random)
      #expect(table[other] == truth[other], "seed \(seed)")
      #expect(table.count == truth.count, "seed \(seed)")
    }
    #expect(table.values.sorted() == truth.values.sorted())
    table.removeAll()
    #expect(table.isEmpty)
  }

  @Test("stream 0 and numbers below it are nowhere")
  func noSuchStream() {
    var table = StreamTable<Int>()
    table.set(1, 7)
    #expect(table[0] == nil)
    #expect(table[-1] == nil)
    #expect(table.remove(0) == nil)
    #expect(table.remove(-5) == nil)
    #expect(table.values == [7])
  }
}
