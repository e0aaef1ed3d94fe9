internal import Base
internal import Catalogue
internal import Features
internal import Ranking
internal import Retrieval

/// One profile at one moment: what serving would have known of it, from the events before.
struct ProfileMoment {
  let at: Timestamp
  /// Unit length; empty for a profile whose history has no direction.
  private(set) var vector: [Float]
  /// The vector of the title last watched with liking; empty without one.
  private(set) var last: [Float]
  private var shares = GenreShares()
  private let historyCount: Int
  let inProgress: Set<UInt32>
  /// Finished, or turned down: never offered again.
  private let excluded: Set<UInt32>
  /// What any event of its history is about.
  private let met: Set<UInt32>
  let neighbours: NeighbourSums

  init(
    _ history: ProfileHistory, at: Timestamp, definitions: FeatureDefinitions, catalogue: CatalogueView,
    vectors: PartitionedVectors, neighbours titles: TitleNeighbours
  ) {
    self.at = at
    let features = ProfileFeatures.compute(history, definitions: definitions, now: at)
    var sum = [Float](repeating: 0, count: vectors.dimensions)
    var shares = GenreShares()
    var historyCount = 0
    var weighted: [(ordinal: UInt32, weight: Float)] = []
    let hasDirection = sum.withUnsafeMutableBufferPointer { sum in
      for title in features.weighted {
        guard let ordinal = catalogue.ordinal(ofID: title.titleID) else { continue }
        weighted.append((ordinal, title.weight))
        vectors.add(ordinal, weight: ProfileVector.factor(ofWeight: title.weight), to: sum)
        if title.weight > 0 {
          historyCount += 1
          shares.add(genreSet: catalogue.genres(ordinal), weight: title.weight)
        }
      }
      return ProfileVector.normalise(sum)
    }
    vector = hasDirection && historyCount > 0 ? sum : []
    last = []
    if let ordinal = features.becauseOf.lazy.compactMap({ catalogue.ordinal(ofID: $0) }).first {
      last = [Float](repeating: 0, count: vectors.dimensions)
      last.withUnsafeMutableBufferPointer { vectors.add(ordinal, weight: 1, to: $0) }
    }
    // As in serving: a profile without a vector gets nothing that hangs on its history.
    var neighbours = NeighbourSums()
    if !vector.isEmpty { neighbours.add(weighted, titles) }
    self.neighbours = neighbours
    self.shares = shares
    self.historyCount = historyCount
    inProgress = Set(features.continueWatching.compactMap { catalogue.ordinal(ofID: $0.titleID) })
    met = Set(features.met.compactMap { catalogue.ordinal(ofID: $0) })
    excluded = Set(features.completed.union(features.rejected).compactMap { catalogue.ordinal(ofID: $0) })
  }

  func isExcluded(_ ordinal: UInt32) -> Bool { excluded.contains(ordinal) }
  func isMet(_ ordinal: UInt32) -> Bool { met.contains(ordinal) }
  var excludedCount: Int { excluded.count }

  func isInProgress(_ ordinal: UInt32) -> Bool { inProgress.contains(ordinal) }

  /// A candidate's row, by the same definition as in serving.
  func row(
    _ ordinal: UInt32, catalogue: CatalogueView, vectors: PartitionedVectors, timeline: ScoreTimeline
  ) -> [Float] {
    let scores = timeline.values(ordinal, at: at)
    let age = catalogue.releaseDay(ordinal).map {
      Float(Double(at.milliseconds) / 86_400_000) - Float($0)
    }
    return CandidateFeatures.row(
      CandidateFeatures.Inputs(
        similarity: vector.isEmpty ? 0 : vector.withUnsafeBufferPointer { vectors.dot(ordinal, $0) },
        similarityLast: last.isEmpty ? 0 : last.withUnsafeBufferPointer { vectors.dot(ordinal, $0) },
        popularity: scores.popularity, ageDays: age,
        genreAffinity: shares.affinity(catalogue.genres(ordinal)),
        trending: scores.trending, historyCount: historyCount, isInProgress: isInProgress(ordinal),
        coWatched: neighbours.values(ordinal), isMet: isMet(ordinal)))
  }
}
