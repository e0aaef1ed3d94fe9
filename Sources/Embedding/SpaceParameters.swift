internal import Base

/// What a space is made with. The same parameters, titles and interactions give the same space and vectors.
package struct SpaceParameters: Equatable, Sendable {
  /// Of the vectors.
  package var dimensions: Int
  /// Of what titles say, before the dimensions in which titles are alike are found in it. What single rare words say is
  /// noise that spreads over all of these; the vectors keep only its part in theirs.
  package var textDimensions: Int
  package var seed: UInt64
  /// A word's projection has so many entries of ±1, the rest are zero.
  package var entriesPerWord: Int
  /// Of the subspace iteration.
  package var iterationCount: Int
  /// The weight of what a title says beside that of who watches it, for a title with as many viewers as most.
  package var textWeight: Float
  /// Viewers for which watching has half its weight.
  package var viewersAtHalf: Float
  /// A title's watching weighs by its viewers to this power.
  package var popularityPower: Float
  /// A profile's interest in each title weighs by the number of its titles to minus this power.
  package var activityPower: Float
  /// Titles that the space is fitted to at most: the most watched and an even sample of the rest. All titles get
  /// vectors. 131,072 × 128 × 4 bytes are 64 MB, three times, and 131,072 × 1,024 × 4 are 512 MB.
  package var anchorCountMax: Int

  /// The defaults were chosen on MovieLens; recall hardly moves between half and twice of each.
  package init(
    dimensions: Int = 128, textDimensions: Int = 1024, seed: UInt64 = 1, entriesPerWord: Int = 8,
    iterationCount: Int = 6,
    textWeight: Float = 0.5, viewersAtHalf: Float = 2, popularityPower: Float = 0.25,
    activityPower: Float = 0.5, anchorCountMax: Int = 131_072
  ) {
    self.dimensions = dimensions
    self.textDimensions = textDimensions
    self.seed = seed
    self.entriesPerWord = entriesPerWord
    self.iterationCount = iterationCount
    self.textWeight = textWeight
    self.viewersAtHalf = viewersAtHalf
    self.popularityPower = popularityPower
    self.activityPower = activityPower
    self.anchorCountMax = anchorCountMax
  }

  /// Whether the arithmetic holds: parameters from a file may be anything.
  var isValid: Bool {
    (1...Limits.dimensionsMax).contains(dimensions) && (1...Self.textDimensionsMax).contains(textDimensions)
      && (1...64).contains(entriesPerWord)
      && (1...64).contains(iterationCount) && (1...Limits.titleCountMax).contains(anchorCountMax)
      && (0.001...100).contains(textWeight) && (0...10_000).contains(viewersAtHalf)
      && (0...1).contains(popularityPower) && (0...1).contains(activityPower)
  }

  /// In a segment, and for a digest.
  var words: [UInt64] {
    [
      UInt64(dimensions), seed, UInt64(entriesPerWord), UInt64(iterationCount),
      UInt64(textWeight.bitPattern), UInt64(viewersAtHalf.bitPattern), UInt64(popularityPower.bitPattern),
      UInt64(activityPower.bitPattern), UInt64(anchorCountMax), UInt64(textDimensions),
    ]
  }

  static let wordCount = 10
  /// A projection from so many to the most dimensions is 32 MiB.
  static let textDimensionsMax = 8192

  /// The inverse of `words`, of which there are `wordCount`; `nil` when the arithmetic wouldn't hold.
  init?(words: UnsafeBufferPointer<UInt64>) {
    func float(_ index: Int) -> Float { Float(bitPattern: UInt32(truncatingIfNeeded: words[index])) }
    guard let dimensions = Int(exactly: words[0]), let entriesPerWord = Int(exactly: words[2]),
      let iterationCount = Int(exactly: words[3]), let anchorCountMax = Int(exactly: words[8]),
      let textDimensions = Int(exactly: words[9])
    else { return nil }
    self.init(
      dimensions: dimensions, textDimensions: textDimensions, seed: words[1], entriesPerWord: entriesPerWord,
      iterationCount: iterationCount, textWeight: float(4), viewersAtHalf: float(5),
      popularityPower: float(6), activityPower: float(7), anchorCountMax: anchorCountMax)
    guard isValid else { return nil }
  }
}
