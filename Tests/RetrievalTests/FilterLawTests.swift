import Base
import Testing

@testable import Retrieval

@Suite("Filter law")
struct FilterLawTests {
  @Test("all titles add nothing, a twentieth what was measured, and others by the logarithm of their share")
  func shares() {
    let law = FilterLaw(chanceReach: -0.25, listsReach: 0.5)
    #expect(law.reach(share: 1, likeness: 0) == 0 && abs(law.reach(share: 0.05, likeness: 0) + 0.25) < 1e-6)
    #expect(abs(law.reach(share: 0.0025, likeness: 0) - 2 * law.reach(share: 0.05, likeness: 0)) < 0.01)
    let reaches = [1, 0.5, 0.2, 0.05, 0.01].map { law.reach(share: $0, likeness: 0) }
    #expect(reaches == reaches.sorted(by: >) && Set(reaches).count == 5)
    #expect(abs(law.reach(share: 0.05, likeness: 1) - 0.5) < 1e-6)
    #expect(abs(law.reach(share: 0.05, likeness: 0.5) - 0.125) < 1e-6)
  }

  @Test("shares of which nothing is known take what the least has that is")
  func unknown() {
    let law = FilterLaw(chanceReach: 0.125)
    let least = law.reach(share: 1 / 400, likeness: 0)
    #expect(law.reach(share: 0, likeness: 0) == least && least.isFinite)
    #expect(law.reach(share: 2, likeness: 0) == 0 && FilterLaw().reach(share: 0.05, likeness: 0) == 0)
  }

  @Test("some vectors are the source's")
  func some() {
    let source = VectorRows((0..<14).map { Float($0) }, dimensions: 2)
    let some = SomeVectors(source: source, ordinals: [0, 3, 6])
    var rows = [Float](repeating: 0, count: 4)
    rows.withUnsafeMutableBufferPointer { some.copy(1..<3, into: $0) }
    #expect(some.count == 3 && some.dimensions == 2 && rows == [6, 7, 12, 13])
  }

  private static let dimensions = 8
  private static let values = clustered(42_000, dimensions: dimensions)
  private static let queries = profiles(values, dimensions: dimensions, count: 40)
  private static let many = Result { try Built(values, dimensions: dimensions) }

  private func tuner(_ built: Built, k: Int) -> EffortTuner {
    EffortTuner(
      built.parts[0].index, built.parts[0].vectors, queries: Self.queries.flatMap { $0 }, k: k, threads: 2
    ) { _ in }
  }

  @Test(
    "a law is the least reach that has the recall wanted, with one title of twenty and one list of twenty")
  func measured() throws {
    let built = try Self.many.get()
    let (tuner, vectors) = (tuner(built, k: 10), built.parts[0].vectors)
    let effort = SearchEffort(reach: -0.35, kept: 300)
    let law = tuner.filterLaw(vectors, effort: effort, threads: 2, recall: 0.966)
    #expect(abs(law.chanceReach) < 0.499 && abs(law.listsReach) < 0.499)
    #expect(law.chanceReach != 0 && law.listsReach != 0)
    var less = law
    less.chanceReach -= 0.1
    less.listsReach -= 0.1
    for ordinals in [tuner.byChance, tuner.byLists] {
      let truth = try #require(tuner.filterTruth(vectors, ordinals: ordinals, threads: 1))
      let reached = tuner.recallOf(law, effort, truth)
      let isEnough = reached >= 0.971
      let isLess = tuner.recallOf(less, effort, truth) < reached
      #expect(isEnough && isLess)
    }
  }

  @Test("a filter by lists lets whole lists pass, about a twentieth")
  func groups() throws {
    let built = try Self.many.get()
    let (index, ordinals) = (built.parts[0].index, tuner(built, k: 50).byLists)
    let passes = Set(ordinals)
    let isWhole = (0..<index.listCount).allSatisfy { list in
      let titles = index.ordinals[Int(index.offsets[list])..<Int(index.offsets[list + 1])]
      return Set(titles.map { passes.contains($0) }).count < 2
    }
    let isSorted = ordinals == ordinals.sorted()
    #expect(isWhole && isSorted && passes.count == ordinals.count)
    #expect(ordinals.count > 42_000 / 60 && ordinals.count < 42_000 / 8)
  }

  @Test("what can't be reached, and what too few titles say, adds nothing")
  func unmeasured() throws {
    let built = try Self.many.get()
    let (tuner, vectors) = (tuner(built, k: 50), built.parts[0].vectors)
    let poor = SearchEffort(reach: -3, kept: 0)
    #expect(tuner.filterLaw(vectors, effort: poor, threads: 1, recall: 0.99) == FilterLaw())
    let all = SearchEffort(reach: SearchEffort.reachAll, kept: 2000)
    #expect(tuner.filterLaw(vectors, effort: all, threads: 1, recall: 0.9) == FilterLaw())
    #expect(tuner.filterTruth(vectors, ordinals: Array(0..<999), threads: 1) == nil)
    #expect(built.parts[0].index.filterLaw == FilterLaw())
  }

  @Test("the build stores it where there are titles enough")
  func stored() throws {
    let built = try Built(clustered(204_000, dimensions: 4), dimensions: 4, options: IndexOptions(threads: 2))
    let law = built.parts[0].index.filterLaw
    #expect(law.chanceReach != 0 && law.listsReach != 0 && law.isSound)
  }

  @Test("a search with a filter reaches as much further or less far as the law says")
  func used() throws {
    let index = try Self.many.get().parts[0].index
    let words = bitmap((0..<42_000).map { $0 % 20 == 0 })
    let scratch = SearchScratch()
    let lists = [Float(-0.25), 0, 0.25].map { reach in
      var other = index
      other.filterLaw = FilterLaw(chanceReach: reach, listsReach: reach)
      let alone = PartitionedIndex(alone: other)
      return Self.queries.reduce(0) { sum, query in
        sum
          + query.withUnsafeBufferPointer { query in
            words.withUnsafeBufferPointer { words in
              alone.search(
                query, k: 100,
                allowed: words.baseAddress.map {
                  OrdinalFilter(words: $0, bitCount: 42_000, allowedCount: .max)
                }, time: SystemTime(), scratch: scratch
              ).probedListCount
            }
          }
      }
    }
    #expect(lists[0] < lists[1] && lists[1] < lists[2] && lists[2] <= index.listCount * Self.queries.count)
  }
}
