import Base
import CKernels
import Testing

@Suite("Pool")
struct PoolTests {
  /// Takes scores in batches, as a search does, and gives the places that are left at the end.
  private func run(_ scores: [Int32], keep: Int, batch: Int, capacity: Int, limit: Int = .max) -> [UInt32] {
    var places = [UInt32](repeating: 0, count: capacity)
    var held = [Int32](repeating: 0, count: capacity)
    var bins = [UInt32](repeating: 0, count: Int(MK_POOL_BINS))
    return places.withUnsafeMutableBufferPointer { places in
      held.withUnsafeMutableBufferPointer { held in
        bins.withUnsafeMutableBufferPointer { bins in
          guard let first = places.baseAddress, let values = held.baseAddress, let counts = bins.baseAddress
          else {
            return []
          }
          var pool = mk_pool(
            places: first, scores: values, bins: counts, capacity: capacity, held: 0, keep: 0, inside: 0,
            bin: 0,
            shift: 0, base: 0, floor: 0)
          mk_pool_begin(&pool, keep)
          for begin in stride(from: 0, to: scores.count, by: batch) {
            var added = 0
            for place in begin..<min(scores.count, begin + batch) where scores[place] >= pool.floor {
              pool.places[pool.held + added] = UInt32(place)
              pool.scores[pool.held + added] = scores[place]
              added += 1
            }
            let floor = pool.floor
            mk_pool_take(&pool, added, batch)
            if pool.floor < floor { Issue.record("the floor fell from \(floor) to \(pool.floor)") }
          }
          mk_pool_finish(&pool, min(limit, capacity))
          return (0..<pool.held).map { pool.places[$0] }.sorted()
        }
      }
    }
  }

  @Test("the best are kept, and no more than a bin beside them", arguments: [100, 5000, 3_000_000])
  func keepsTheBest(range: Int32) {
    var random = SplitMix(seed: UInt64(range))
    let scores = (0..<5000).map { _ in Int32.random(in: -range...range, using: &random) }
    let sorted = scores.indices.sorted { (scores[$0], $1) > (scores[$1], $0) }
    for (keep, batch, capacity) in [(1, 64, 400), (100, 1000, 5000), (300, 100, 700), (6000, 500, 9000)] {
      let found = run(scores, keep: keep, batch: batch, capacity: capacity)
      let best = Set(sorted.prefix(keep).map { UInt32($0) })
      if capacity > 3 * keep + batch || keep > scores.count {
        #expect(best.isSubset(of: found), "\(keep) of \(range)")
      }
      #expect(found.count >= min(keep, scores.count) && found.count <= capacity)
      #expect(Set(found).count == found.count)
    }
  }

  @Test("what comes may be far better than what came", arguments: [1, 1000])
  func rising(step: Int32) {
    var random = SplitMix(seed: UInt64(step))
    var scores: [Int32] = []
    for place in 0..<5000 {
      let level = Int32(place / 500)
      scores.append(level * level * step * 100 + Int32.random(in: 0...50, using: &random))
    }
    let sorted = scores.indices.sorted { (scores[$0], $1) > (scores[$1], $0) }
    let found = run(scores, keep: 100, batch: 100, capacity: 1000)
    #expect(Set(sorted.prefix(100).map { UInt32($0) }).isSubset(of: found))
    // What is left over is of about the last worth.
    #expect(found.count < 600 && found.allSatisfy { $0 >= 4000 })
  }

  @Test("the floor is the score of all when all are alike, and there is none before enough are held")
  func floors() {
    for count in [49, 50, 51] {
      var places = [UInt32](repeating: 0, count: 300)
      var scores = [Int32](repeating: -7, count: 300)
      var bins = [UInt32](repeating: 0, count: Int(MK_POOL_BINS))
      let floor = places.withUnsafeMutableBufferPointer { places in
        scores.withUnsafeMutableBufferPointer { scores in
          bins.withUnsafeMutableBufferPointer { bins -> Int32? in
            guard let first = places.baseAddress, let values = scores.baseAddress,
              let counts = bins.baseAddress
            else { return nil }
            var pool = mk_pool(
              places: first, scores: values, bins: counts, capacity: 300, held: 0, keep: 0, inside: 0, bin: 0,
              shift: 0, base: 0, floor: 0)
            mk_pool_begin(&pool, 50)
            mk_pool_take(&pool, count, 1)
            return pool.floor
          }
        }
      }
      #expect(floor == (count < 50 ? .min : -7))
    }
  }

  @Test("of many alike the first are kept, within the room there is")
  func alike() {
    let scores = [Int32](repeating: 7, count: 3000)
    let crowded = run(scores, keep: 50, batch: 100, capacity: 300)
    #expect(crowded.count <= 300 && crowded.prefix(50).elementsEqual((0..<50).map { $0 }))
    #expect(run(scores, keep: 50, batch: 100, capacity: 4000, limit: 20) == (0..<20).map { $0 })
  }

  @Test("the best come to the front in order, whatever they are", arguments: 0..<5)
  func bestInOrder(shape: Int) {
    var random = SplitMix(seed: UInt64(shape))
    for count in [1, 2, 127, 128, 129, 1000, 5000] {
      let keys: [UInt64] = (0..<count).map { place in
        switch shape {
        case 0: random.next()
        case 1: mk_key(Float.random(in: 0.3...0.9, using: &random), UInt32(place))
        case 2: 7
        case 3: place == 0 ? .max : UInt64(place)
        default: UInt64(place % 3)
        }
      }
      let sorted = keys.sorted(by: >)
      for keep in [0, 1, count / 3, count - 1, count, count + 5] {
        var kept = keys
        var spare = [UInt64](repeating: 0, count: count)
        mk_best_in_order(&kept, count, keep, &spare)
        #expect(kept.prefix(keep).elementsEqual(sorted.prefix(keep)), "\(keep) of \(count)")
      }
    }
  }

  @Test("a threshold lets as many pass as are wanted, and few more")
  func threshold() {
    var random = SplitMix(seed: 9)
    let dots = (0..<2000).map { _ in Int32.random(in: -1000...1000, using: &random) }
    let scales = [Float](repeating: 0.5, count: 2000)
    var maxima = [UInt64](repeating: 0, count: 1000)
    for want in [1, 10, 60, 124, 126, 200, 249, 251, 400, 499] {
      let threshold = mk_threshold(dots, scales, 2000, want, &maxima)
      let passing = dots.count { Float($0) * 0.5 >= threshold }
      #expect(passing >= want && passing < want * 3 + 10)
    }
    #expect(mk_threshold(dots, scales, 2000, 501, &maxima) == -.infinity)
    for count in [0, 1] { #expect(mk_threshold(dots, scales, count, 1, &maxima) == -.infinity) }
  }
}
