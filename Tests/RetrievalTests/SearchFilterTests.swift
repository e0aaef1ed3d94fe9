import Base
import CKernels
import Testing

@testable import Retrieval

@Suite("Search with a filter")
struct SearchFilterTests {
  private static let titleCount = 10_400
  private static let queries = SearchTests.queries

  private func wider(_ effort: SearchEffort) -> SearchEffort {
    SearchEffort(reach: effort.reach, kept: 1500, lists: effort.lists)
  }

  /// Searches by lists, as if more passed than are worth scoring one by one.
  private func find(
    _ built: Built, _ query: [Float], k: Int, effort: SearchEffort? = nil, allowed: [Bool],
    isPlaced: Bool = false
  ) -> (found: [UInt32], outcome: SearchOutcome) {
    let scratch = SearchScratch()
    let outcome = bitmap(allowed).withUnsafeBufferPointer { words in
      query.withUnsafeBufferPointer { query in
        built.index.search(
          query, k: k, effort: effort ?? wider(built.index.effort),
          allowed: words.baseAddress.map {
            OrdinalFilter(
              words: $0, bitCount: Self.titleCount, allowedCount: .max,
              placed: isPlaced ? built.index.placed($0) : nil)
          }, time: SystemTime(), scratch: scratch)
      }
    }
    return (Array(scratch.ordinals.prefix(outcome.count)), outcome)
  }

  /// Mean recall of all queries.
  private func meanRecall(_ built: Built, k: Int, allowed: [Bool], isPlaced: Bool = false) -> Double {
    var sum = 0.0
    for query in Self.queries {
      let (found, outcome) = find(built, query, k: k, allowed: allowed, isPlaced: isPlaced)
      #expect(found.count == k && found.allSatisfy { allowed[Int($0)] } && !outcome.isExact)
      sum += recall(found, built.truth(query, k: k, allowed: allowed))
    }
    return sum / Double(Self.queries.count)
  }

  private func random(oneOf every: Int) -> [Bool] {
    var random = SplitMix(seed: UInt64(every))
    return (0..<Self.titleCount).map { _ in Int.random(in: 0..<every, using: &random) == 0 }
  }

  @Test("a filter lets only its titles through and still fills k", arguments: [4, 40, 1000])
  func filtered(every: Int) throws {
    let built = try SearchTests.tailed.get()
    let allowed = random(oneOf: every)
    for query in Self.queries {
      let (found, _, outcome) = built.find(query, k: 200, allowed: allowed)
      #expect(found.count == min(200, allowed.count { $0 }))
      #expect(outcome.isExact && found == built.truth(query, k: 200, allowed: allowed))
    }
  }

  @Test("with a filter more lists are looked into, but only as many as it takes", arguments: [2, 4, 40])
  func probes(every: Int) throws {
    let built = try SearchTests.tailed.get()
    let allowed = random(oneOf: every)
    var lists = 0
    for query in Self.queries {
      let effort = wider(built.index.effort)
      let without = built.find(query, k: 100, effort: effort).outcome.probedListCount
      let probed = find(built, query, k: 100, effort: effort, allowed: allowed).outcome.probedListCount
      #expect(probed > without)
      lists += probed
    }
    #expect(every > 4 || lists < built.index.listCount * Self.queries.count * 3 / 4)
    #expect(meanRecall(built, k: 100, allowed: allowed) > 0.93)
  }

  /// Candidates that the pool kept, of a search for the first query.
  private func kept(_ allowed: [Bool], counted: Bool, isPlaced: Bool = false) throws -> Int {
    let built = try SearchTests.whole.get()
    let scratch = SearchScratch()
    let words = bitmap(allowed)
    _ = words.withUnsafeBufferPointer { words in
      Self.queries[0].withUnsafeBufferPointer { query in
        built.index.search(
          query, k: 100, effort: SearchEffort(reach: 0.2, kept: 2000),
          allowed: words.baseAddress.map {
            OrdinalFilter(
              words: $0, bitCount: Self.titleCount, allowedCount: counted ? nil : .max,
              placed: isPlaced ? built.index.placed($0) : nil)
          }, time: SystemTime(), scratch: scratch)
      }
    }
    return scratch.pool.pointee.keep
  }

  @Test("with a filter fewer candidates are kept, the fewer the less passes, and more than are wanted")
  func kept() throws {
    let all = SearchEffort(reach: 0, kept: 2000).kept(k: 100)
    #expect(try kept(.init(repeating: true, count: Self.titleCount), counted: true) == all)
    let some = try [2, 4, 20].map { try kept(random(oneOf: $0), counted: false) }
    #expect(some[0] < all && some[1] < some[0] && some[2] < some[1] && some[2] >= 148)
    #expect(abs(try kept(random(oneOf: 2), counted: true) - some[0]) < all / 50)
  }

  @Test(
    "a filter by lists, or one that lets all pass near the query, keeps as many as none",
    arguments: [false, true])
  func keptNearby(isPlaced: Bool) throws {
    let all = SearchEffort(reach: 0, kept: 2000).kept(k: 100)
    let built = try SearchTests.whole.get()
    let index = built.parts[0].index
    var halves = [Bool](repeating: false, count: Self.titleCount)
    for list in 0..<index.listCount where list % 2 == 0 {
      for place in index.offsets[list]..<index.offsets[list + 1] {
        halves[Int(index.ordinals[Int(place)])] = true
      }
    }
    #expect(try kept(halves, counted: true, isPlaced: isPlaced) > all * 9 / 10)
    let near = Set(built.truth(Self.queries[0], k: 5000))
    let inside = (0..<UInt32(Self.titleCount)).map { near.contains($0) }
    #expect(try kept(inside, counted: true, isPlaced: isPlaced) > all * 9 / 10)
  }

  @Test(
    "a filter in the order of the index finds what the same by ordinals does", arguments: [1, 3, 40, 2000])
  func placed(every: Int) throws {
    let built = try SearchTests.tailed.get()
    let allowed = random(oneOf: every)
    for query in Self.queries {
      let ways = [false, true].map {
        find(built, query, k: 100, effort: SearchTests.all, allowed: allowed, isPlaced: $0).found
      }
      #expect(ways[0] == ways[1] && !ways[0].isEmpty)
    }
  }

  @Test("what passes in the tail alone, or in the base alone, is found as well", arguments: [false, true])
  func byPart(tailOnly: Bool) throws {
    let built = try SearchTests.tailed.get()
    let baseCount = built.parts[0].index.count
    let allowed = (0..<Self.titleCount).map { ($0 >= baseCount) == tailOnly && $0 % 2 == 0 }
    for isPlaced in [false, true] {
      #expect(meanRecall(built, k: 50, allowed: allowed, isPlaced: isPlaced) > 0.93)
    }
  }

  @Test("a filter that goes by lists finds as much as one that goes by chance", arguments: [2, 5])
  func byLists(every: Int) throws {
    let built = try SearchTests.whole.get()
    let index = built.parts[0].index
    var random = SplitMix(seed: UInt64(every))
    var allowed = [Bool](repeating: false, count: Self.titleCount)
    for list in 0..<index.listCount where Int.random(in: 0..<every, using: &random) == 0 {
      for place in index.offsets[list]..<index.offsets[list + 1] {
        allowed[Int(index.ordinals[Int(place)])] = true
      }
    }
    for isPlaced in [false, true] {
      #expect(meanRecall(built, k: 100, allowed: allowed, isPlaced: isPlaced) > 0.93)
    }
  }

  @Test("a filter's share and how much it goes by lists are those of what was seen")
  func filterSeen() {
    var seen = FilterSeen()
    #expect(seen.share == nil && seen.likeness == 0)
    for list in 0..<100 { seen.add(asked: 50, passed: list % 4 == 0 ? 50 : 0) }
    #expect(seen.share == 0.25 && seen.likeness > 0.99)
    var random = SplitMix(seed: 1)
    var even = FilterSeen()
    for _ in 0..<100 {
      even.add(asked: 50, passed: (0..<50).count { _ in Int.random(in: 0..<4, using: &random) == 0 })
    }
    #expect(abs((even.share ?? 0) - 0.25) < 0.02 && even.likeness < 0.02)
    var all = FilterSeen()
    all.add(asked: 1, passed: 1)
    #expect(all.share == 1 && all.likeness == 0)
  }

  @Test("a filter that is blind near the query is answered from farther lists")
  func blindNearby() throws {
    let built = try SearchTests.whole.get()
    let near = Set(built.truth(Self.queries[0], k: 4000))
    let allowed = (0..<UInt32(Self.titleCount)).map { !near.contains($0) }
    for isPlaced in [false, true] {
      let (found, outcome) = find(
        built, Self.queries[0], k: 300, effort: SearchEffort(reach: -1, kept: 600), allowed: allowed,
        isPlaced: isPlaced)
      #expect(found.count == 300 && near.isDisjoint(with: found))
      #expect(outcome.probedListCount > 1 && !outcome.isExact)
    }
  }

  @Test("a filter that allows nothing finds nothing")
  func nothingAllowed() throws {
    let built = try SearchTests.whole.get()
    let allowed = [Bool](repeating: false, count: Self.titleCount)
    let found = built.find(Self.queries[0], allowed: allowed)
    #expect(found.ordinals.isEmpty && !found.outcome.isPartial)
    #expect(find(built, Self.queries[0], k: 10, allowed: allowed).found.isEmpty)
  }
}
