/// How much a search does: what recall costs.
package struct SearchEffort: Sendable, Equatable {
  /// Lists that are looked into.
  package var probes: Int
  /// Candidates that are kept by their codes and scored again by their rows, when k is 500; see ``kept(k:)``.
  package var kept: Int
  /// Candidates that rows of bytes can't tell apart from the k-th are scored a third time, by their vectors.
  package var refines: Bool
  /// Lists that would do if codes and rows lost nothing: those that hold as large a share of the best as the search finds.
  /// What a filter lets pass lies so far apart that they lose next to nothing of it.
  package var bareProbes: Int

  /// `bareProbes` is about two thirds of `probes` unless it was measured.
  package init(probes: Int, kept: Int, refines: Bool = false, bareProbes: Int? = nil) {
    self.probes = probes
    self.kept = kept
    self.refines = refines
    self.bareProbes = bareProbes ?? max(1, probes * 2 / 3)
  }

  /// What a segment may say.
  func isSound(listCount: Int) -> Bool {
    (1...listCount).contains(probes) && (1...listCount).contains(bareProbes)
      && (0...SearchScratch.keptCountMax).contains(kept)
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

extension [EffortPoint] {
  /// The cheapest effort that reached `recall`, between two points that differ in their probes alone; the dearest if none
  /// did. Points are in order.
  package func effort(recall: Float) -> SearchEffort? {
    guard let place = firstIndex(where: { $0.recall >= recall }) else { return last?.effort }
    var effort = self[place].effort
    guard place > 0 else { return effort }
    let before = self[place - 1]
    guard before.effort.kept == effort.kept, before.effort.refines == effort.refines,
      before.effort.probes < effort.probes, before.recall < recall
    else { return effort }
    let share = (recall - before.recall) / (self[place].recall - before.recall)
    let between = { (low: Int, high: Int) in low + Int((share * Float(high - low)).rounded(.up)) }
    effort.probes = between(before.effort.probes, effort.probes)
    effort.bareProbes = Swift.min(between(before.effort.bareProbes, effort.bareProbes), effort.probes)
    return effort
  }
}

extension EffortPoint {
  /// As a segment has it: recall, probes, kept, whether refined, bare probes.
  static let wordCount = 5

  var words: [Float] {
    [recall, Float(effort.probes), Float(effort.kept), effort.refines ? 1 : 0, Float(effort.bareProbes)]
  }

  /// `nil` for what no build writes, such as the zeros of rooms that were not needed.
  init?(_ words: UnsafeBufferPointer<Float>, listCount: Int) {
    guard let probes = Int(exactly: words[1]), let kept = Int(exactly: words[2]),
      let bareProbes = Int(exactly: words[4])
    else { return nil }
    effort = SearchEffort(probes: probes, kept: kept, refines: words[3] == 1, bareProbes: bareProbes)
    recall = words[0]
    guard effort.isSound(listCount: listCount) else { return nil }
  }
}
