package import Base

/// By when each stage of one request has to be done.
///
/// The budgets of the policy, one after another from the start: what a stage leaves, the next ones may use. When less
/// than their sum remains until the request's deadline, each gets its share of what remains.
package struct StagePlan: Sendable, Equatable {
  package let features: Instant
  package let retrieval: Instant
  package let ranking: Instant
  package let assembly: Instant

  package init(_ budgets: Policy.Budgets, from start: Instant, deadline: Instant) {
    let totalMilliseconds = UInt64(max(budgets.totalMilliseconds, 1))
    let total = min(totalMilliseconds * 1_000_000, deadline.nanoseconds(since: start))
    func end(_ milliseconds: Int) -> Instant {
      // A budget is at most 10,000 ms and a total 40 s: the product fits in 64 bits.
      start.advanced(byNanoseconds: total * UInt64(max(milliseconds, 0)) / totalMilliseconds)
    }
    features = end(budgets.featuresMilliseconds)
    retrieval = end(budgets.featuresMilliseconds + budgets.retrievalMilliseconds)
    ranking = end(
      budgets.featuresMilliseconds + budgets.retrievalMilliseconds + budgets.rankingMilliseconds)
    assembly = start.advanced(byNanoseconds: total)
  }
}
