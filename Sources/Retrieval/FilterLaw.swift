#if canImport(Glibc)
  internal import Glibc
#else
  internal import Darwin
#endif

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
    sparseReach * logf(max(Self.shareMin, min(1, share))) / -logf(Float(Self.sparseShare))
  }
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
