package import Base
internal import Features

/// Answers requests from one generation without a replica around it, and tells what a reply does not: for measuring how
/// good ranking is. The way is that of every request; only queues and deadlines are left out.
///
/// Not for several threads at once: one worker's scratch is behind it.
package final class RankProbe {
  package struct Answer: Sendable {
    package var rows: [RankReply.Row]
    package var rungs: [Rung]
    /// What retrieval gathered, from all sources, in the order in which it came.
    package var candidates: [UInt32]
    /// Of each candidate the source that brought it first, and what that thought of it, in its own terms.
    package var sources: [(source: CandidateSource, score: Float)]
  }

  private let generation: Generation
  private let pipeline: RankPipeline
  private let time: any TimeSource

  package init(
    _ generation: Generation, histories: any HistorySource, stages: RankStages = RankStages(),
    time: any TimeSource
  ) {
    self.generation = generation
    self.time = time
    pipeline = RankPipeline(histories: histories, stages: stages, time: time)
  }

  /// Throws a ``Base/Fault`` when the request is not one that a replica would take.
  package func rank(_ request: RankRequest) throws(Fault) -> Answer {
    try RequestCheck.check(request)
    let now = time.instant
    let job = RankJob(
      request: request, submitted: now, deadline: now.advanced(byMilliseconds: 60_000),
      cancellation: Cancellation()
    ) { _ in }
    let outcome = try pipeline.rank(job, in: generation, effort: .full)
    let candidates = pipeline.candidates
    return Answer(
      rows: outcome.rows, rungs: outcome.rungs, candidates: candidates.ordinals,
      sources: zip(candidates.firstSources, candidates.sourceScores).map { ($0, $1) })
  }
}
