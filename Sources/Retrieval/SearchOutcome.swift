/// How a search went. The results are in its scratch.
package struct SearchOutcome: Sendable, Equatable {
  /// Results in the scratch's `ordinals` and `scores`.
  package var count: Int
  /// The deadline came first: these are the best of what had been seen.
  package var isPartial: Bool
  /// Every allowed title was scored exactly.
  package var isExact: Bool
  package var probedListCount: Int
  /// Titles looked at.
  package var scannedCount: Int

  package init(
    count: Int = 0, isPartial: Bool = false, isExact: Bool = false, probedListCount: Int = 0,
    scannedCount: Int = 0
  ) {
    self.count = count
    self.isPartial = isPartial
    self.isExact = isExact
    self.probedListCount = probedListCount
    self.scannedCount = scannedCount
  }
}
