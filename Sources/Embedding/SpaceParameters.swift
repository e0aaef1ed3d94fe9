internal import Base

/// What a space is made with. The same parameters, titles and interactions give the same space and vectors.
package struct SpaceParameters: Equatable, Sendable {
  /// Of the vectors.
  package var dimensions: Int
  package var seed: UInt64
  /// A word's projection has so many entries of ±1, the rest are zero.
  package var entriesPerWord: Int
  /// Rounds of watching: titles to profiles to titles.
  package var roundCount: Int
  /// The weight of what a title says beside who watches it.
  package var textWeight: Float
  /// The weight of a random vector of its own in a watched title's text part: what lets watching tell titles apart
  /// that say the same.
  package var ownWeight: Float
  /// Viewers for which watching has half its full weight.
  package var viewersAtHalf: Float
  /// A title counts in a profile by its viewers to the power of minus this: what everybody saw says little.
  package var damping: Float

  package init(
    dimensions: Int = 128, seed: UInt64 = 1, entriesPerWord: Int = 8, roundCount: Int = 3,
    textWeight: Float = 0.5, ownWeight: Float = 0.5, viewersAtHalf: Float = 2, damping: Float = 0.5
  ) {
    self.dimensions = dimensions
    self.seed = seed
    self.entriesPerWord = entriesPerWord
    self.roundCount = roundCount
    self.textWeight = textWeight
    self.ownWeight = ownWeight
    self.viewersAtHalf = viewersAtHalf
    self.damping = damping
  }

  /// Whether the arithmetic holds: parameters from a file may be anything.
  var isValid: Bool {
    (1...Limits.dimensionsMax).contains(dimensions) && (1...64).contains(entriesPerWord)
      && (0...16).contains(roundCount)
      && [textWeight, ownWeight, viewersAtHalf, damping].allSatisfy { (0...100).contains($0) }
      && textWeight > 0
  }
}
