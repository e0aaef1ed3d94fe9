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

  @Test("keys of one search are sorted as whole numbers are", arguments: 0..<5)
  func sortKeys(shape: Int) {
    var random = SplitMix(seed: UInt64(shape))
    for count in [0, 1, 2, 3, 100, 1000] {
      let keys: [UInt64] = (0..<count).map { place in
        switch shape {
        case 0: random.next()
        case 1: mk_key(Float.random(in: 0.5...0.6, using: &random), UInt32(place))
        case 2: mk_key(Float(place % 5), UInt32(place))
        case 3: mk_key(0.5, UInt32(count - place))
        default: mk_key(Float.random(in: -1...1, using: &random), UInt32(place))
        }
      }
      var (sorted, spare) = (keys, keys)
      mk_sort_keys(&sorted, count, &spare)
      #expect(sorted == keys.sorted(by: >))
    }
  }

  @Test("trimming keeps the best, of equals the first, and names a score that so many reach")
  func trim() {
    var random = SplitMix(seed: 9)
    for (count, spread) in [(100, Int32(1000)), (100, 3), (100, 0), (1000, 1_000_000)] {
      let scores = (0..<count).map { _ in Int32.random(in: -spread...spread, using: &random) }
      for (keep, tolerance) in [(1, 0), (30, 0), (30, 5), (count, 0)] {
        var (kept, slots) = (scores, (0..<UInt32(count)).map { $0 })
        var threshold: Int32 = 0
        let number = mk_trim(&kept, &slots, count, keep, tolerance, -spread - 1, spread, &threshold)
        #expect(number >= keep && number <= keep + tolerance)
        #expect(scores.count { $0 >= threshold } >= keep)
        #expect(zip(kept, slots).prefix(number).allSatisfy { scores[Int($1)] == $0 })
        #expect(
          kept.prefix(number).sorted(by: >).prefix(keep).elementsEqual(scores.sorted(by: >).prefix(keep)))
        #expect(slots.prefix(number).elementsEqual(slots.prefix(number).sorted()))
      }
    }
  }

  @Test("lists are ranked with their reach, those from a rank up left out")
  func rankLists() {
    let products: [Int32] = [10, -5, 7, 1_000_000_000]
    var ranks = products
    var numbers = [UInt32](repeating: 0, count: 4)
    var (least, most) = (Int32(0), Int32(0))
    #expect(mk_rank_lists(products, [1, 2, 0, 1e30], 4, 3, .max, &ranks, &numbers, &least, &most) == 4)
    #expect(ranks == [13, 1, 7, 1_000_000_000 + 1 << 29] && numbers == [0, 1, 2, 3])
    #expect(least == 1 && most == ranks[3])
    #expect(mk_rank_lists(products, [1, 2, 0, 1e30], 4, 3, 13, &ranks, &numbers, &least, &most) == 2)
    #expect(ranks.prefix(2) == [1, 7] && numbers.prefix(2) == [1, 2] && most == 7)
    #expect(mk_rank_lists(products, [1, 2, 0, .nan], 4, .infinity, -6, &ranks, &numbers, &least, &most) == 0)
  }

  @Test("a title's code and row together are its turned vector within a 254th of a step")
  func encode() {
    var random = SplitMix(seed: 10)
    for (dimensions, head) in [(5, 8), (8, 8), (20, 12)] {
      let steps = (0..<dimensions).map { _ in Float.random(in: 0.001...0.01, using: &random) }
      let vector = steps.map { Float.random(in: -126...126, using: &random) * $0 }
      var group = [UInt8](repeating: 128, count: 16 * head)
      var row = [UInt8](repeating: 128, count: 64)
      mk_encode(vector, dimensions, head, steps.map { 1 / $0 }, &group, 3, &row)
      for place in 0..<dimensions {
        let rest = Float(Int(row[place]) - 128)
        if place < head {
          let code = Float(Int(group[place / 4 * 64 + 12 + place % 4]) - 128)
          #expect(abs((code + rest / 254) * steps[place] - vector[place]) <= steps[place] / 400)
        } else {
          #expect(abs(rest * steps[place] - vector[place]) <= steps[place] * 0.501)
        }
      }
      #expect(row.dropFirst(dimensions).allSatisfy { $0 == 128 })
      #expect((dimensions..<max(head, dimensions)).allSatisfy { group[$0 / 4 * 64 + 12 + $0 % 4] == 128 })
    }
    // Beyond the last step values are cut off, to the same place in code and row.
    var (group, row) = ([UInt8](repeating: 0, count: 64), [UInt8](repeating: 0, count: 4))
    mk_encode([1000, -1000, 5, 0], 4, 4, [1, 1, 1, 1], &group, 0, &row)
    #expect(group.prefix(4) == [255, 1, 133, 128] && row == [255, 1, 128, 128])
  }
}
