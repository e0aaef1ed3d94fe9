import Base
import CKernels
import Testing

@Suite("Selection")
struct SelectionTests {
  @Test("keys order by score, then by the lower ordinal, and give both back")
  func keys() {
    let scores: [Float] = [-.infinity, -3.5, -0x1p-140, 0, 0x1p-140, 1, 2.5, .infinity]
    for (low, high) in zip(scores, scores.dropFirst()) { #expect(mk_key(low, 5) < mk_key(high, 5)) }
    for score in scores { #expect(mk_key_score(mk_key(score, 9)) == score) }
    #expect(mk_key(1, 3) > mk_key(1, 4))
    #expect(mk_key(-0.0, 3) == mk_key(0, 3))
    #expect(mk_key(.nan, 3) == mk_key(-.infinity, 3))
    #expect(mk_key_ordinal(mk_key(0.5, .max)) == .max)
  }

  @Test("the largest come to the front, whatever the order", arguments: 0..<6)
  func keepLargest(shape: Int) {
    var random = SplitMix(seed: UInt64(shape))
    for count in [1, 2, 24, 25, 26, 100, 1000, 5000] {
      let keys: [UInt64] = (0..<count).map { place in
        switch shape {
        case 0: random.next()
        case 1: UInt64(place)
        case 2: UInt64(count - place)
        case 3: 7
        case 4: UInt64(place % 3)
        default: UInt64(place < count / 2 ? place : count - place)
        }
      }
      let sorted = keys.sorted(by: >)
      for keep in [0, 1, 2, count / 3, count / 2, count - 1, count, count + 5] {
        var kept = keys
        mk_keep_largest(&kept, count, keep)
        #expect(kept.prefix(keep).sorted(by: >) == Array(sorted.prefix(keep)), "\(keep) of \(count)")
        #expect(kept.sorted(by: >) == sorted)
      }
      var all = keys
      mk_sort_descending(&all, count)
      #expect(all == sorted)
    }
  }

  @Test("a quantised row is within half a step of the row")
  func quantise() {
    var random = SplitMix(seed: 1)
    let row = (0..<100).map { _ in Float.random(in: -2...2, using: &random) }
    var bytes = [UInt8](repeating: 0, count: 100)
    let scale = mk_quantise(row, 100, &bytes)
    for (value, byte) in zip(row, bytes) {
      #expect(abs(Float(Int(byte) - 128) * scale - value) <= scale * 0.501)
    }
    #expect(mk_quantise([0, 0], 2, &bytes) == 0 && bytes.prefix(2).elementsEqual([128, 128]))
    #expect(mk_quantise([0x1p-149, 0], 2, &bytes) == 0 && bytes.prefix(2).elementsEqual([128, 128]))
  }
}
