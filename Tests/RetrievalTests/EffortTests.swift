import Testing

@testable import Retrieval

@Suite("Effort")
struct EffortTests {
  @Test("for fewer results fewer candidates are kept, but not in proportion, and always more than results")
  func kept() {
    let effort = SearchEffort(reach: 0, kept: 1000)
    #expect(effort.kept(k: 500) == 1000 && effort.kept(k: 1000) == 2000)
    #expect(effort.kept(k: 50) == 317 && effort.kept(k: 5) == 317)
    for k in [1, 50, 500, 2048] { #expect(SearchEffort(reach: 0, kept: 0).kept(k: k) > k) }
    #expect(SearchEffort(reach: 0, kept: 8000).kept(k: 2048) == SearchScratch.keptCountMax)
  }

  @Test("the curve of a base rises, and an effort for a recall is the first that reaches it")
  func curve() throws {
    let values = clustered(3000, dimensions: 16)
    let index = try Built(values, dimensions: 16).parts[0].index
    let curve = index.recallCurve
    #expect(curve.count > 3 && curve.map(\.recall) == curve.map(\.recall).sorted())
    #expect(index.effort(recall: 2) == curve.last?.effort && index.effort(recall: 0) == curve[0].effort)
    #expect(index.effort == index.effort(recall: 0.95))
    for recall: Float in [0.9, 0.95, 0.99] {
      let place = try #require(curve.firstIndex { $0.recall >= recall })
      let effort = try #require(index.effort(recall: recall))
      #expect(effort.reach <= curve[place].effort.reach && effort.kept == curve[place].effort.kept)
    }
  }

  @Test(
    "between two points that differ in reach alone, reach is in proportion; otherwise the dearer is taken")
  func between() {
    let point = { (recall: Float, reach: Float, kept: Int, lists: Int) in
      EffortPoint(effort: SearchEffort(reach: reach, kept: kept, lists: lists), recall: recall)
    }
    let curve = [
      point(0.875, -0.5, 800, 40), point(0.9375, 0.5, 800, 60), point(0.953125, 0.5, 1000, 60),
      point(0.984375, 1, 1000, 80),
    ]
    let between = SearchEffort(reach: -0.25, kept: 800, lists: 45)
    #expect(curve.effort(recall: 0.890625) == between)
    #expect(curve.effort(recall: 0.9375)?.reach == 0.5 && curve.effort(recall: 0.95) == curve[2].effort)
    #expect(curve.effort(recall: 0.96875)?.reach == 0.75 && curve.effort(recall: 0.99) == curve[3].effort)
    #expect(curve.effort(recall: 0.5) == curve[0].effort && [EffortPoint]().effort(recall: 0.5) == nil)
    // And back: what an effort reached.
    #expect(curve.recall(of: between) == 0.890625)
    #expect(curve.recall(of: SearchEffort(reach: 0.75, kept: 1000)) == 0.96875)
    for point in curve { #expect(curve.recall(of: point.effort) == point.recall) }
    #expect(curve.recall(of: SearchEffort(reach: 1.25, kept: 1000)) == nil)
    #expect(curve.recall(of: SearchEffort(reach: 0.75, kept: 900)) == nil)
    // Nothing lies between a point and one that looks into all lists.
    let all = curve + [point(0.99, SearchEffort.reachAll, 1000, 2000)]
    #expect(all.effort(recall: 0.987) == all[4].effort && all.recall(of: all[4].effort) == 0.99)
  }

  @Test("an index says what recall its own effort had at build")
  func atBuild() throws {
    for built in [try SearchTests.whole.get(), try SearchTests.tailed.get()] {
      #expect(built.index.recallAtBuild >= 0.949)
    }
  }

  @Test("refining finds at least as much, with scores that the vectors have")
  func refines() throws {
    let built = try SearchTests.tailed.get()
    var (plain, refined) = (0.0, 0.0)
    for query in SearchTests.queries {
      let truth = built.truth(query, k: 300)
      let effort = SearchEffort(reach: SearchEffort.reachAll, kept: 1500)
      plain += recall(built.find(query, k: 300, effort: effort).ordinals, truth)
      var other = effort
      other.refines = true
      let (found, scores, _) = built.find(query, k: 300, effort: other)
      refined += recall(found, truth)
      let last = query.withUnsafeBufferPointer { built.vectors.dot(found[299], $0) }
      #expect(abs(scores[299] - last) < 1e-5)
    }
    #expect(refined >= plain && refined / Double(SearchTests.queries.count) > 0.997)
  }
}
