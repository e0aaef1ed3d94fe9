internal import CKernels

/// What a filter changes on the way.
extension Search {
  /// Lists after which the filter is looked at.
  static var shareSeenIn: Int { 8 }

  /// Lists that are ranked at first: some more than usual, as half of all searches need, and with a filter more by the power
  /// of five eighths, as was seen. Twice as many each time that those don't do.
  var listsAtFirst: Int {
    let root = (allowedShare ?? 1).squareRoot()
    let usual = Int(Float(effort.lists) / max(0.001, root * root.squareRoot().squareRoot()))
    return min(base.listCount, usual + usual / 4 + Self.listsAtFirstMin)
  }
  static var listsAtFirstMin: Int { 8 }

  /// Titles that tell whether a filter goes by lists.
  private static var passedEnough: Int { 64 }

  /// Fits the search to what the filter has let pass so far.
  mutating func lookAtFilter() {
    guard seen.passed >= Self.passedEnough, let seenShare = seen.share else { return }
    // More passes near the query where it is one for whom the filter was made; less may only not have come yet.
    let (share, likeness) = (max(seenShare, allowedShare ?? 0), seen.likeness)
    // Where a filter goes by lists it is quicker to ask it first, and to sum the codes of no block without a title.
    if placed == nil { asksFirst = likeness > 0.3 }
    // Those that pass by chance lie farther apart, so that codes mistake fewer of them: fewer candidates do. Never more again:
    // what fell below the floor meanwhile is gone.
    let (pool, spare) = (scratch.pool, effort.kept(k: k) - k)
    let part = likeness + (1 - likeness) * share.squareRoot().squareRoot()
    pool.pointee.keep = min(pool.pointee.keep, k + max(min(48, spare), Int(Float(spare) * part)))
    setReach(effort.reach + base.filterLaw.reach(share: share, likeness: likeness))
  }
}

/// What a search has seen of its filter: titles or candidates that it was asked about, and those that it let pass.
struct FilterSeen {
  private var asked = 0
  private(set) var passed = 0
  /// Pairs of titles in one list, and those that passed both.
  private var askedPairs = 0
  private var passedPairs = 0

  /// Of one list, or a part of one.
  mutating func add(asked: Int, passed: Int) {
    self.asked += asked
    self.passed += passed
    askedPairs += asked * (asked - 1)
    passedPairs += passed * (passed - 1)
  }

  /// The share that passed; `nil` until something was asked.
  var share: Float? { asked > 0 ? Float(passed) / Float(asked) : nil }

  /// How much the filter goes by lists: 0 where titles pass by chance, 1 where lists pass as a whole (the correlation within
  /// classes).
  var likeness: Float {
    guard let share, askedPairs > 0, share > 0, share < 1 else { return 0 }
    let both = Float(passedPairs) / Float(askedPairs)
    return max(0, min(1, (both - share * share) / (share * (1 - share))))
  }
}
