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
    #expect(index.effort(recall: 0.9) == curve.first { $0.recall >= 0.9 }?.effort)
    #expect(index.effort(recall: 2) == curve.last?.effort)
    #expect(index.effort == curve.first { $0.recall >= 0.95 }?.effort)
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
