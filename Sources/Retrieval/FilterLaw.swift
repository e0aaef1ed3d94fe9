#if canImport(Glibc)
  internal import Glibc
#else
  internal import Darwin
#endif

/// How many more lists a filter takes, and how many fewer so many fewer results.
///
/// The lists that hold a part of the k best of n titles are about a power of n / k: with a filter that lets a share s pass,
/// the share of all lists that holds it goes to the power 1 + ln s / d, where d is about the logarithm of n / k. What d is
/// was measured at build: with queries whose neighbours are sought among all titles and among each twentieth. On made-up
/// titles it held from shares of 1/2 to 1/100.
struct FilterLaw: Equatable {
  /// Lists that hold ``coverage`` of the neighbours among all titles, and among one of ``sparseShare``; 0 if not measured.
  var wholeProbes = 0
  var sparseProbes = 0

  static let sparseShare = 20
  static let coverage: Float = 0.95
  /// So much more is asked of the lists of few titles: keeping fewer candidates loses about that.
  static let sparseSurplus: Float = 0.003
  /// Fewer results than this take as many lists: it was tried down to here.
  static let kMin = 50
  /// Fewer titles than this say nothing about the best 500 of them.
  static let sparseCountMin = 2000

  /// What the share of lists for the best ``SearchEffort/k`` of all titles is taken to the power of.
  ///
  /// `likeness` is how much the filter goes by lists: one that does, as a licence for a studio's titles may, leaves none where
  /// the query's best would be, and all of them farther away, as one of the square of its share would that goes by chance. For
  /// fewer results codes mistake more of them, so only half of the lists that they save, by logarithm, are saved.
  func power(share: Float, likeness: Float, listCount: Int, titleCount: Int, k: Int) -> Float {
    let depth = depth(listCount: listCount, titleCount: titleCount)
    guard depth > 0 else { return 0 }
    let deeper = 0.5 * logf(Float(SearchEffort.k) / Float(max(k, Self.kMin))) + (1 + likeness) * logf(share)
    return max(0, 1 + deeper / depth)
  }

  private func depth(listCount: Int, titleCount: Int) -> Float {
    guard wholeProbes > 0, sparseProbes > wholeProbes, sparseProbes < listCount else {
      // As at a million made-up titles.
      return logf(Float(titleCount) / (1.4 * Float(SearchEffort.k)))
    }
    let lists = Float(listCount)
    let power = logf(Float(sparseProbes) / lists) / logf(Float(wholeProbes) / lists)
    return logf(Float(Self.sparseShare)) / (1 - power)
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
