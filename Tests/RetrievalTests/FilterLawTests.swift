import Base
import Testing

@testable import Retrieval

@Suite("Filter law")
struct FilterLawTests {
  @Test("all titles add nothing, a twentieth what was measured, and others by the logarithm of their share")
  func shares() {
    let law = FilterLaw(sparseReach: -0.25)
    #expect(law.reach(share: 1) == 0 && abs(law.reach(share: 0.05) + 0.25) < 1e-6)
    #expect(abs(law.reach(share: 0.0025) - 2 * law.reach(share: 0.05)) < 0.01)
    let reaches = [1, 0.5, 0.2, 0.05, 0.01].map { law.reach(share: $0) }
    #expect(reaches == reaches.sorted(by: >) && Set(reaches).count == 5)
  }

  @Test("shares of which nothing is known take what the least has that is")
  func unknown() {
    let law = FilterLaw(sparseReach: 0.125)
    #expect(law.reach(share: 0) == law.reach(share: 1 / 400) && law.reach(share: 0).isFinite)
    #expect(law.reach(share: 2) == 0)
    #expect(FilterLaw().reach(share: 0.05) == 0)
  }

  @Test("each so-manieth vector is the source's")
  func sparse() {
    let source = VectorRows((0..<14).map { Float($0) }, dimensions: 2)
    let sparse = SparseVectors(source: source, step: 3)
    var rows = [Float](repeating: 0, count: 4)
    rows.withUnsafeMutableBufferPointer { sparse.copy(0..<2, into: $0) }
    #expect(sparse.count == 2 && sparse.dimensions == 2 && rows == [0, 1, 6, 7])
  }

  private static let dimensions = 8
  private static let values = clustered(42_000, dimensions: dimensions)
  private static let queries = profiles(values, dimensions: dimensions, count: 40)
  private static let many = Result {
    try Built(
      values, dimensions: dimensions, options: IndexOptions(tuningQueries: queries.flatMap { $0 }))
  }

  @Test("the build stores the least reach that has an effort's recall with one title of twenty")
  func measured() throws {
    let built = try Self.many.get()
    let (index, vectors) = built.parts[0]
    let tuner = EffortTuner(
      index, vectors, queries: Self.queries.flatMap { $0 }, k: SearchEffort.k, threads: 2
    ) { _ in }
    let recall = try #require(index.recallCurve.recall(of: index.effort))
    let law = tuner.filterLaw(vectors, effort: index.effort, threads: 2, recall: recall)
    #expect(index.filterLaw == law && law != FilterLaw() && abs(law.sparseReach) < 0.25)
    let sparse = try #require(tuner.sparseTruth(vectors, threads: 1))
    #expect(tuner.sparseRecall(law, index.effort, sparse) >= recall + 0.005)
    let less = FilterLaw(sparseReach: law.sparseReach - 0.02)
    #expect(tuner.sparseRecall(less, index.effort, sparse) < tuner.sparseRecall(law, index.effort, sparse))
  }

  @Test("what can't be reached, and what too few titles say, adds nothing")
  func unmeasured() throws {
    let few = try Built(clustered(3000, dimensions: 8), dimensions: 8).parts[0].index
    #expect(few.filterLaw == FilterLaw())
    let (index, vectors) = try Self.many.get().parts[0]
    let tuner = EffortTuner(
      index, vectors, queries: Self.queries[0], k: SearchEffort.k, threads: 1
    ) { _ in }
    let poor = SearchEffort(reach: -3, kept: 0)
    #expect(tuner.filterLaw(vectors, effort: poor, threads: 1, recall: 0.99) == FilterLaw())
    let all = SearchEffort(reach: SearchEffort.reachAll, kept: 2000)
    #expect(tuner.filterLaw(vectors, effort: all, threads: 1, recall: 0.9) == FilterLaw())
  }

  @Test("a search with a filter reaches as much further or less far as the law says")
  func used() throws {
    let index = try Self.many.get().parts[0].index
    let words = bitmap((0..<42_000).map { $0 % 20 == 0 })
    let scratch = SearchScratch()
    let lists = [Float(-0.25), 0, 0.25].map { reach in
      var other = index
      other.filterLaw = FilterLaw(sparseReach: reach)
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
