/// How much further or less far a search reaches with a filter, for the recall that it has without.
///
/// A filter lowers the worst candidate that is kept, and with it the lists that are looked into: that is nearly all. What is
/// left grows with the logarithm of the share that passes. How much it is for one of twenty was found at build by searching.
struct FilterLaw: Equatable {
  /// What a filter that lets ``sparseShare`` pass adds to the reach; 0 if it was not measured.
  var sparseReach: Float = 0

  /// One of so many.
  static let sparseShare = 20
  /// What a segment may say.
  static let sparseReachMax: Float = 1
  /// Fewer titles than this say nothing about the best 500 of them.
  static let sparseCountMin = 2000
  /// Below this nothing is known.
  private static let shareMin: Float = 1 / 400

  func reach(share: Float) -> Float {
    sparseReach * Self.logarithm(max(Self.shareMin, min(1, share)))
      / Self.logarithm(1 / Float(Self.sparseShare))
  }

  /// About that to base 2, which is exact enough and alike on every machine: builds depend on it.
  private static func logarithm(_ value: Float) -> Float { Float(value.exponent) + value.significand - 1 }
}

/// Each so-manieth vector of a source.
struct SparseVectors<Source: VectorSource>: VectorSource {
  let source: Source
  let step: Int

  var count: Int { source.count / step }
  var dimensions: Int { source.dimensions }

  func copy(_ ordinals: Range<Int>, into rows: UnsafeMutableBufferPointer<Float>) {
    for (row, ordinal) in ordinals.enumerated() {
      let range = row * dimensions..<(row + 1) * dimensions
      source.copy(
        ordinal * step..<ordinal * step + 1, into: UnsafeMutableBufferPointer(rebasing: rows[range]))
    }
  }
}
