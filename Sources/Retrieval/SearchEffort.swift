/// How much a search does: what recall costs.
package struct SearchEffort: Sendable, Equatable {
  /// Lists that are looked into when k is 500 and nothing is filtered; see ``FilterLaw``.
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

  /// What a segment may say.
  func isSound(listCount: Int) -> Bool {
    (1...listCount).contains(probes) && (0...SearchScratch.keptCountMax).contains(kept)
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
    let more = Float(effort.probes - before.effort.probes)
    effort.probes = before.effort.probes + Int((share * more).rounded(.up))
    return effort
  }

  /// The recall of an effort that ``effort(recall:)`` gave: of a point, or between two; `nil` for another.
  package func recall(of effort: SearchEffort) -> Float? {
    if let point = first(where: { $0.effort == effort }) { return point.recall }
    for (before, after) in zip(self, dropFirst()) {
      guard
        [before, after].allSatisfy({ $0.effort.kept == effort.kept && $0.effort.refines == effort.refines }),
        before.effort.probes < effort.probes, effort.probes < after.effort.probes
      else { continue }
      let share =
        Float(effort.probes - before.effort.probes) / Float(after.effort.probes - before.effort.probes)
      return before.recall + share * (after.recall - before.recall)
    }
    return nil
  }
}

extension EffortPoint {
  /// As a segment has it: recall, probes, kept, whether refined.
  static let wordCount = 4

  var words: [Float] { [recall, Float(effort.probes), Float(effort.kept), effort.refines ? 1 : 0] }

  /// `nil` for what no build writes, such as the zeros of rooms that were not needed.
  init?(_ words: UnsafeBufferPointer<Float>, listCount: Int) {
    guard let probes = Int(exactly: words[1]), let kept = Int(exactly: words[2]) else { return nil }
    effort = SearchEffort(probes: probes, kept: kept, refines: words[3] == 1)
    recall = words[0]
    guard effort.isSound(listCount: listCount) else { return nil }
  }
}
