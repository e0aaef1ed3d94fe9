package import Base

// What a search is measured by.

extension PartitionedIndex {
  /// The exact answer to what ``search(_:k:effort:allowed:deadline:time:scratch:)`` answers nearly: reads all vectors, 256 MB
  /// at a million titles of 128 dimensions.
  package func searchExactly(
    _ query: UnsafeBufferPointer<Float>, k: Int, allowed: OrdinalFilter? = nil, time: any TimeSource,
    scratch: SearchScratch
  ) -> SearchOutcome {
    precondition(query.count == dimensions, "a query has the index's dimensions")
    precondition(k >= 0 && k <= Limits.candidateCountMax, "k has a limit")
    precondition(allowed.map { $0.bitCount >= count } ?? true, "a filter speaks of every title")
    guard let start = query.baseAddress, k > 0, query.allSatisfy(\.isFinite) else { return SearchOutcome() }
    var search = ExactSearch(
      index: self, query: start, k: k, allowed: allowed,
      clock: SearchClock(deadline: .distantFuture, time: time), scratch: scratch)
    // One by one is slower by title, and reads less.
    if let allowed, allowed.allowedCount < count / 8 {
      search.scoreAllowed(allowed)
    } else {
      search.scoreAll()
    }
    return search.finish()
  }

  /// The recall that the index's own effort had when it was built; 1 where all is searched exactly.
  package var recallAtBuild: Float {
    guard count > Self.exactCountMax else { return 1 }
    return parts[0].index.recallCurve.recall(of: effort) ?? 0
  }
}
