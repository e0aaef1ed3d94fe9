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
        let removed = table.remove(number)
        #expect(removed == truth.removeValue(forKey: number), "seed \(seed)")
      }
      let other = 1 + step * Int32.random(in: 0..<150, using: &random)
      let (found, count) = (table[other], table.count)
      #expect(found == truth[other], "seed \(seed)")
      #expect(count == truth.count, "seed \(seed)")
    }
    let values = table.values.sorted()
    #expect(values == truth.values.sorted())
    table.removeAll()
    let isEmpty = table.isEmpty
    #expect(isEmpty)
  }

  @Test("stream 0 and numbers below it are nowhere")
  func noSuchStream() {
    var table = StreamTable<Int>()
    table.set(1, 7)
    let (zero, below) = (table[0], table[-1])
    #expect(zero == nil)
    #expect(below == nil)
    let removed = [table.remove(0), table.remove(-5)]
    #expect(removed == [nil, nil])
    let values = table.values
    #expect(values == [7])
  }

  @Test("a stream table lets go of what it held: at a removal, at a replacement, and at its end")
  func letsGo() {
    final class Held {}
    weak var first: Held?
    weak var second: Held?
    weak var third: Held?
    do {
      var table = StreamTable<Held>()
      func put(_ number: Int32) -> Held {
        let held = Held()
        table.set(number, held)
        return held
      }
      first = put(1)
      second = put(3)
      for number in stride(from: Int32(5), to: 99, by: 2) { _ = put(number) }
      table.remove(1)
      #expect(first == nil)
      third = put(3)
      #expect(second == nil)
      #expect(third != nil)
    }
    #expect(third == nil)
  }
}
