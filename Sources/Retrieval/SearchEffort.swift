/// How much a search does: what recall costs.
package struct SearchEffort: Sendable, Equatable {
  /// Blocks are scanned if they rank no further than this below the worst candidate that is kept, in mean spreads of lists and
  /// for a query of unit length; negative where they must rank above it. Lists are looked into that rank a little lower.
  package var reach: Float
  /// Candidates that are kept by their codes and scored again by their rows, when k is 500; see ``kept(k:)``.
  package var kept: Int
  /// Candidates that rows of bytes can't tell apart from the k-th are scored a third time, by their vectors.
  package var refines: Bool
  /// Lists that were looked into when this was measured, on the mean: so many are ranked at first. Changes no result.
  package var lists: Int

  package init(reach: Float, kept: Int, refines: Bool = false, lists: Int = 32) {
    self.reach = reach
    self.kept = kept
    self.refines = refines
    self.lists = lists
  }

  /// Every list is looked into, and every block scanned.
  package static let reachAll = Float.infinity
  /// What a segment may say, but for ``reachAll``.
  static let reachMax: Float = 16

  /// What a segment may say.
  func isSound(listCount: Int) -> Bool {
    (abs(reach) <= Self.reachMax || reach == Self.reachAll)
      && (0...SearchScratch.keptCountMax).contains(kept) && (0...listCount).contains(lists)
  }

  /// What the numbers are tuned for.
  package static let k = 500

  /// Candidates kept for `k` results: for fewer results more in proportion, with the square root, since one that codes
  /// mistake is more of them. Fewer than 50 take as many as 50.
  func kept(k: Int) -> Int {
    let share = Double(max(k, 50)) / Double(Self.k)
    let factor = share < 1 ? share.squareRoot() : share
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
  /// The cheapest effort that reached `recall`, between two points that differ in their reach alone; the dearest if none
  /// did. Points are in order.
  package func effort(recall: Float) -> SearchEffort? {
    guard let place = firstIndex(where: { $0.recall >= recall }) else { return last?.effort }
    guard place > 0, let between = between(place - 1, place) else { return self[place].effort }
    let share = (recall - self[place - 1].recall) / (self[place].recall - self[place - 1].recall)
    var effort = self[place].effort
    effort.reach = self[place - 1].effort.reach + share * between.reach
    effort.lists = self[place - 1].effort.lists + Int((share * Float(between.lists)).rounded(.up))
    return effort
  }

  /// The recall of an effort that ``effort(recall:)`` gave: of a point, or between two; `nil` for another.
  package func recall(of effort: SearchEffort) -> Float? {
    if let point = first(where: { $0.effort == effort }) { return point.recall }
    for place in indices.dropFirst() {
      let (before, after) = (self[place - 1], self[place])
      guard let between = between(place - 1, place), effort.kept == after.effort.kept,
        effort.refines == after.effort.refines, before.effort.reach <= effort.reach,
        effort.reach <= after.effort.reach
      else { continue }
      return before.recall
        + (effort.reach - before.effort.reach) / between.reach * (after.recall - before.recall)
    }
    return nil
  }

  /// How much further the later of two points reaches, if that is all that it does.
  private func between(_ place: Int, _ next: Int) -> (reach: Float, lists: Int)? {
    let (before, after) = (self[place], self[next])
    guard before.effort.kept == after.effort.kept, before.effort.refines == after.effort.refines,
      before.effort.reach < after.effort.reach, after.effort.reach.isFinite, before.recall < after.recall
    else { return nil }
    return (after.effort.reach - before.effort.reach, after.effort.lists - before.effort.lists)
  }
}

extension EffortPoint {
  /// As a segment has it: recall, reach, kept, whether refined, lists.
  static let wordCount = 5

  var words: [Float] {
    [recall, effort.reach, Float(effort.kept), effort.refines ? 1 : 0, Float(effort.lists)]
  }

  /// `nil` for what no build writes, such as the zeros of rooms that were not needed.
  init?(_ words: UnsafeBufferPointer<Float>, listCount: Int) {
    guard let kept = Int(exactly: words[2]), let lists = Int(exactly: words[4]), kept > 0 else { return nil }
    effort = SearchEffort(reach: words[1], kept: kept, refines: words[3] == 1, lists: lists)
    recall = words[0]
    guard effort.isSound(listCount: listCount), (0...1).contains(recall) else { return nil }
  }
}
