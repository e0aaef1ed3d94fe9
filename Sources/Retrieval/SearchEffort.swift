/// How much a search does: what recall costs.
package struct SearchEffort: Sendable, Equatable {
  /// Lists that are looked into.
  package var probes: Int
  /// Candidates that are kept by their codes and scored again by their rows, when k is 500; see ``kept(k:)``.
  package var kept: Int
  /// Candidates that rows of bytes can't tell apart from the k-th are scored a third time, by their vectors.
  package var refines: Bool

  package init(probes: Int, kept: Int, refines: Bool = false) {
    self.probes = probes
    self.kept = kept
    self.refines = refines
  }

  /// What the numbers are tuned for.
  package static let k = 500

  /// Candidates kept for `k` results: for fewer results more in proportion, with the power of three quarters.
  func kept(k: Int) -> Int {
    let share = Double(k) / Double(Self.k)
    let factor = share < 1 ? (share * share.squareRoot()).squareRoot() : share
    return min(max(Int((Double(kept) * factor).rounded(.up)), k + 48), SearchScratch.keptCountMax)
  }
}

/// What the build measured: the recall of an effort on queries that the index was not made from.
package struct EffortPoint: Sendable, Equatable {
  package var effort: SearchEffort
  /// Recall@500, or at all titles if there are fewer.
  package var recall: Float

  package init(effort: SearchEffort, recall: Float) {
    self.effort = effort
    self.recall = recall
  }
}
