/// How much further or less far a search reaches with a filter, for the recall that it has without.
///
/// A filter lowers the worst candidate that is kept, and with it the lists that are looked into: that is nearly all. What is
/// left grows with the logarithm of the share that passes, and is not the same for a filter that lets titles pass by chance
/// and one that goes by lists. How much it is for one title of twenty was found at build, by searching.
struct FilterLaw: Equatable {
  /// What a filter that lets ``sparseShare`` pass by chance adds to the reach; 0 if it was not measured.
  var chanceReach: Float = 0
  /// The same of one that lets lists pass as a whole, with their neighbours.
  var listsReach: Float = 0

  /// One of so many.
  static let sparseShare = 20
  /// What a segment may say.
  static let reachMax: Float = 1
  /// Below this nothing is known.
  private static let shareMin: Float = 1 / 400

  var isSound: Bool { abs(chanceReach) <= Self.reachMax && abs(listsReach) <= Self.reachMax }

  /// `likeness` is how much the filter goes by lists, as ``FilterSeen`` has it.
  func reach(share: Float, likeness: Float) -> Float {
    let part = Self.logarithm(max(Self.shareMin, min(1, share))) / Self.logarithm(1 / Float(Self.sparseShare))
    return ((1 - likeness) * chanceReach + likeness * listsReach) * part
  }

  /// About that to base 2, which is exact enough and alike on every machine: builds depend on it.
  private static func logarithm(_ value: Float) -> Float { Float(value.exponent) + value.significand - 1 }
}
