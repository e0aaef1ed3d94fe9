package import Base
package import Ranking
package import Retrieval

/// The two stages that may be slow, as parameters: tests and the simulator make them slow, or wrong.
package struct RankStages: Sendable {
  package var retriever: any Retriever
  package var scorer: any Scorer

  package init(
    retriever: any Retriever = IndexRetriever(), scorer: any Scorer = ModelScorer()
  ) {
    self.retriever = retriever
    self.scorer = scorer
  }
}

/// Finds the titles nearest to a vector in a generation.
package protocol Retriever: Sendable {
  /// `query` has the index's dimensions. The results are in `scratch`, best first; what was found by `deadline` is
  /// returned and marked partial.
  func search(
    _ query: UnsafeBufferPointer<Float>, k: Int, allowed: OrdinalFilter, in generation: Generation,
    deadline: Instant, time: any TimeSource, scratch: SearchScratch
  ) -> SearchOutcome
}

/// Gives candidates their scores.
package protocol Scorer: Sendable {
  /// `rows` has `count` rows of ``CandidateFeatures/count`` features, and `scores` as many places. Scores are logits.
  func score(
    _ rows: UnsafeBufferPointer<Float>, count: Int, into scores: UnsafeMutableBufferPointer<Float>,
    in generation: Generation, scratch: RankerScratch)
}

/// The generation's own index.
package struct IndexRetriever: Retriever {
  package init() {}

  package func search(
    _ query: UnsafeBufferPointer<Float>, k: Int, allowed: OrdinalFilter, in generation: Generation,
    deadline: Instant, time: any TimeSource, scratch: SearchScratch
  ) -> SearchOutcome {
    let outcome = generation.index.search(
      query, k: k, allowed: allowed, deadline: deadline, time: time, scratch: scratch)
    // Ranking reads them one after the other.
    generation.index.prefetch(UnsafeBufferPointer(rebasing: scratch.ordinals[0..<outcome.count]))
    return outcome
  }
}

/// The generation's own ranker.
package struct ModelScorer: Scorer {
  package init() {}

  package func score(
    _ rows: UnsafeBufferPointer<Float>, count: Int, into scores: UnsafeMutableBufferPointer<Float>,
    in generation: Generation, scratch: RankerScratch
  ) {
    generation.ranker.score(rows, count: count, into: scores, scratch: scratch)
  }
}
