internal import CKernels

/// What a filter changes on the way.
extension Search {
  /// Lists that are ranked at first: some more than usual, as half of all searches need, and with a filter more by the power
  /// of five eighths, as was seen. Twice as many each time that those don't do.
  var listsAtFirst: Int {
    let root = (allowedShare ?? 1).squareRoot()
    let usual = Int(Float(effort.lists) / max(0.001, root * root.squareRoot().squareRoot()))
    return min(base.listCount, usual + usual / 4 + Self.listsAtFirstMin)
  }
  static var listsAtFirstMin: Int { 8 }

  /// The less passes, the more lists are looked into, and the more candidates fall below the floor again: a floor that is
  /// found sooner spares most of them. At a twentieth this is 5 % quicker for the same recall.
  static func keepLess(share: Float) -> Float { 0.3 * (1 - share) }

  /// Titles that tell whether a filter goes by lists.
  private static var passedEnough: Int { 64 }

  /// Fits the search to what the filter has let pass so far.
  mutating func lookAtFilter() {
    guard seen.passed >= Self.passedEnough, let seenShare = seen.share else { return }
    // More passes near the query where it is one for whom the filter was made; less may only not have come yet.
    let (share, likeness) = (max(seenShare, allowedShare ?? 0), seen.likeness)
    // Until there is a floor nearly all would be asked about. Where a filter goes by lists it is quicker to ask it first to the
    // end, and to sum the codes of no block without a title.
    if placed == nil { asksFirst = likeness > 0.3 || scratch.pool.pointee.floor == .min }
    // Those that pass by chance lie farther apart, so that codes mistake fewer of them: fewer candidates do. Never more again:
    // what fell below the floor meanwhile is gone.
    let spare = effort.kept(k: k) - k
    let part = likeness + (1 - likeness) * share.squareRoot().squareRoot().squareRoot()
    keepGoal = min(keepGoal, k + max(min(48, spare), Int(Float(spare) * part)))
    keepLess = Self.keepLess(share: share)
    setReach(effort.reach + base.filterLaw.reach(share: share, likeness: likeness))
  }
}

/// What a search has seen of its filter: titles or candidates that it was asked about, and those that it let pass.
struct FilterSeen {
  var counts = mk_seen()

  /// Of one block, or of a tail's part of a list.
  mutating func add(asked: Int, passed: Int) {
    counts.asked += Int64(asked)
    counts.passed += Int64(passed)
    counts.asked_pairs += Int64(asked * (asked - 1))
    counts.passed_pairs += Int64(passed * (passed - 1))
  }

  var passed: Int { Int(counts.passed) }
  /// The share that passed; `nil` until something was asked.
  var share: Float? { counts.asked > 0 ? Float(counts.passed) / Float(counts.asked) : nil }

  /// How much the filter goes by lists: 0 where titles pass by chance, 1 where lists pass as a whole (the correlation within
  /// classes).
  var likeness: Float {
    guard let share, counts.asked_pairs > 0, share > 0, share < 1 else { return 0 }
    let both = Float(counts.passed_pairs) / Float(counts.asked_pairs)
    return max(0, min(1, (both - share * share) / (share * (1 - share))))
  }
}
