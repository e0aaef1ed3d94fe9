internal import CKernels
internal import Glibc

/// How much is looked into with a filter, and for fewer results than usual.
extension Search {
  /// Lists after which the share is looked at first.
  static var shareSeenIn: Int { 8 }

  /// How many lists are looked into, from what was seen in the first `next`: at least enough to fill the pool.
  mutating func wantedProbes(_ probes: Int, after next: Int) -> Int {
    let pool = scratch.pool
    guard allowed != nil, asked > 0 else {
      return pool.pointee.inside < pool.pointee.keep ? next + 1 : probes
    }
    let share = min(1, Float(passed) / Float(asked))
    // Those that pass lie farther apart, so that codes mistake fewer of them: fewer candidates do.
    let spare = Float(effort.kept(k: k) - k) * share.squareRoot().squareRoot()
    pool.pointee.keep = k + max(min(48, effort.kept(k: k) - k), Int(spare))
    if pool.pointee.inside < pool.pointee.keep { return max(probes, next + 1) }
    return wantedLists(share: share)
  }

  /// The lists in which the best k are of the titles near the query of which a filter lets `share` pass.
  ///
  /// The lists that hold a part of the k best of n titles are a share of all lists that is a power of n / k, as far as was
  /// measured (on made-up titles, from 10,000 to 10 million, for shares from 1/2 to 1/100): the logarithm of their share is to
  /// that for ``SearchEffort/k`` of all titles as those of n / k are. At ``fewestTitles`` times k it would be all lists. For
  /// fewer results codes mistake more of them, so only half of what they save is saved.
  func wantedLists(share: Float = 1) -> Int {
    let probes = Float(min(max(effort.probes, 1), base.listCount))
    let usualK = Float(SearchEffort.k)
    guard share < 1 || k != SearchEffort.k else { return Int(probes) }
    let usual = logf(Float(index.count) / (Self.fewestTitles * usualK))
    guard usual > 0 else { return base.listCount }
    let depth = logf(Float(index.count) * share / (Self.fewestTitles * (Float(k) * usualK).squareRoot()))
    // The lists that make good what codes lose are needed for the share that they lose it of.
    let bare = min(probes, Float(effort.bareProbes))
    let needed = bare + share * (probes - bare)
    let listCount = Float(base.listCount)
    return max(1, Int((listCount * powf(needed / listCount, max(0, depth / usual))).rounded(.up)))
  }

  private static var fewestTitles: Float { 1.4 }
}
