import Testing

@testable import Retrieval

@Suite("Effort")
struct EffortTests {
  @Test("for fewer results fewer candidates are kept, but not in proportion, and always more than results")
  func kept() {
    let effort = SearchEffort(probes: 10, kept: 1000)
    #expect(effort.kept(k: 500) == 1000 && effort.kept(k: 1000) == 2000)
    #expect(effort.kept(k: 50) > 100 && effort.kept(k: 50) < 250)
    for k in [1, 50, 500, 2048] { #expect(SearchEffort(probes: 1, kept: 0).kept(k: k) > k) }
    #expect(SearchEffort(probes: 1, kept: 8000).kept(k: 2048) == SearchScratch.keptCountMax)
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
      #expect(effort.probes <= curve[place].effort.probes && effort.kept == curve[place].effort.kept)
    }
  }

  @Test(
    "between two points that differ in probes alone, probes are in proportion; otherwise the dearer is taken")
  func between() {
    let point = { (recall: Float, probes: Int, kept: Int) in
      EffortPoint(
        effort: SearchEffort(probes: probes, kept: kept), recall: recall)
    }
    let curve = [
      point(0.875, 40, 800), point(0.9375, 60, 800), point(0.953125, 60, 1000), point(0.984375, 80, 1000),
    ]
    #expect(curve.effort(recall: 0.890625) == SearchEffort(probes: 45, kept: 800))
    #expect(curve.effort(recall: 0.9375)?.probes == 60 && curve.effort(recall: 0.95) == curve[2].effort)
    #expect(curve.effort(recall: 0.96875)?.probes == 70 && curve.effort(recall: 0.99) == curve[3].effort)
    #expect(curve.effort(recall: 0.5) == curve[0].effort && [EffortPoint]().effort(recall: 0.5) == nil)
    // And back: what an effort reached.
    #expect(curve.recall(of: SearchEffort(probes: 45, kept: 800)) == 0.890625)
    #expect(curve.recall(of: SearchEffort(probes: 70, kept: 1000)) == 0.96875)
    for point in curve { #expect(curve.recall(of: point.effort) == point.recall) }
    #expect(curve.recall(of: SearchEffort(probes: 90, kept: 1000)) == nil)
    #expect(curve.recall(of: SearchEffort(probes: 70, kept: 900)) == nil)
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
      let effort = SearchEffort(probes: 65_536, kept: 1500)
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
