package import Base

/// One request on its way through the pool. `completion` is called exactly once, on a thread of the pool or, when the
/// request is refused at once, on the caller's.
package struct RankJob: Sendable {
  package var request: RankRequest
  /// Who sent it, a connection as a rule: sources take turns.
  package var source: UInt64
  package var submitted: Instant
  package var deadline: Instant
  package var cancellation: Cancellation
  package var completion: @Sendable (Result<RankReply, Fault>) -> Void

  package init(
    request: RankRequest, source: UInt64 = 0, submitted: Instant, deadline: Instant,
    cancellation: Cancellation,
    completion: @escaping @Sendable (Result<RankReply, Fault>) -> Void
  ) {
    self.request = request
    self.source = source
    self.submitted = submitted
    self.deadline = deadline
    self.cancellation = cancellation
    self.completion = completion
  }
}

/// How much a request gets.
package enum Effort: Sendable, Equatable {
  /// Every stage, each within its budget.
  case full
  /// Popular titles at once: it has waited too long, or would.
  case popular
}

/// Answers requests one after another on one thread of the pool, and owns the scratch memory for it.
package protocol RankWorker: AnyObject {
  func answer(_ job: RankJob, effort: Effort) -> Result<RankReply, Fault>
}
