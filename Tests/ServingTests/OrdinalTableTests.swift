import Base
import Testing

@testable import Serving

@Suite struct OrdinalTableTests {
  @Test(arguments: 1...8 as ClosedRange<UInt64>)
  func `a table says what a dictionary says`(seed: UInt64) {
    var random = SplitMix(seed: seed)
    var table = OrdinalTable(countMax: 64)
    for _ in 0..<50 {
      table.removeAll()
      var truth: [UInt32: Int] = [:]
      for value in 0..<64 {
        // Few different ones, far apart and close together, so that some collide and some repeat.
        let ordinal = UInt32.random(in: 0..<40, using: &random) &* (value % 2 == 0 ? 1 : 1 << 26)
        let known = table.insert(ordinal, value)
        #expect(known == truth[ordinal], "seed \(seed)")
        if truth[ordinal] == nil { truth[ordinal] = value }
        #expect(table.value(ordinal) == truth[ordinal])
      }
      #expect(table.count == truth.count)
      for ordinal in 0..<100 as Range<UInt32> { #expect(table.contains(ordinal) == (truth[ordinal] != nil)) }
    }
  }

  @Test func `candidates stop at their limit and keep every source`() {
    var candidates = Candidates()
    for ordinal in 0..<UInt32(Candidates.countMax) { candidates.add(ordinal, .popular, score: 1) }
    let isBeyond = candidates.add(99_999, .similar, score: 1)
    #expect(!isBeyond)
    #expect(candidates.count == Candidates.countMax)
    let isNew = candidates.add(5, .similar, score: 0.5)
    #expect(!isNew)
    #expect(
      candidates.sources[5].contains(.init(.similar)) && candidates.sources[5].contains(.init(.popular)))
    #expect(candidates.firstSources[5] == .popular)
    candidates.setSimilarities { ordinals, similarities in
      for place in ordinals.indices { similarities[place] = Float(ordinals[place]) }
    }
    #expect(candidates.similarities == (0..<Candidates.countMax).map { Float($0) })
    candidates.removeAll()
    #expect(candidates.count == 0 && candidates.index(of: 5) == nil)
  }
}
