internal import CKernels

#if canImport(Glibc)
  internal import Glibc
#else
  internal import Darwin
#endif

/// How much is looked into with a filter, and for fewer results than usual.
extension Search {
  /// Lists after which the share is looked at first.
  static var shareSeenIn: Int { 8 }

  /// How many lists are looked into, from what was seen in the first `next`: at least enough to fill the pool, which is made
  /// smaller for a filter.
  mutating func wantedProbes(_ probes: Int, after next: Int) -> Int {
    let pool = scratch.pool
    guard allowedWords != nil, let share = seen.share else {
      return pool.pointee.inside < pool.pointee.keep ? next + 1 : probes
    }
    // Those that pass lie farther apart, so that codes mistake fewer of them: fewer candidates do.
    let spare = Float(effort.kept(k: k) - k) * share.squareRoot().squareRoot()
    // Never more again: what fell below the floor meanwhile is gone.
    pool.pointee.keep = min(pool.pointee.keep, k + max(min(48, effort.kept(k: k) - k), Int(spare)))
    if pool.pointee.inside < pool.pointee.keep { return max(probes, next + 1) }
    return wantedLists(share: share)
  }

  /// The lists that hold as much of the best k of the titles of which a filter lets `share` pass as the effort's hold of the
  /// best ``SearchEffort/k`` of all.
  func wantedLists(share: Float = 1) -> Int {
    let probes = min(max(effort.probes, 1), base.listCount)
    guard share < 1 || k != SearchEffort.k else { return probes }
    let listCount = Float(base.listCount)
    let power = base.filterLaw.power(
      share: share, likeness: seen.likeness, listCount: base.listCount, titleCount: index.count, k: k)
    return max(1, Int((listCount * powf(Float(probes) / listCount, power)).rounded(.up)))
  }
}

/// What a search has seen of its filter: titles or candidates that it was asked about, and those that it let pass.
struct FilterSeen {
  private var asked = 0
  private var passed = 0
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
