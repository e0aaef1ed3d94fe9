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
  private let profile: CandidateFeatures.Profile
  let inProgress: Set<UInt32>
  /// Finished, or turned down: never offered again.
  private let excluded: Set<UInt32>
  /// What any event of its history is about.
  private let met: Set<UInt32>

  var neighbours: NeighbourSums { profile.neighbours }

  init(
    _ history: ProfileHistory, at: Timestamp, definitions: FeatureDefinitions, catalogue: CatalogueView,
    vectors: PartitionedVectors, neighbours: TitleNeighbours
  ) {
    self.at = at
    let features = ProfileFeatures.compute(history, definitions: definitions, now: at)
    var found: [UInt32?] = []
    catalogue.find(features.titles.count, id: { features.titles[$0].id }, found: &found)
    let titles = zip(features.titles, found).compactMap { title, ordinal in
      ordinal.map { (title, ordinal: $0) }
    }
    var sum = [Float](repeating: 0, count: vectors.dimensions)
    var profile = CandidateFeatures.Profile()
    var weighted: [(ordinal: UInt32, weight: Float)] = []
    let hasDirection = sum.withUnsafeMutableBufferPointer { sum in
      for (title, ordinal) in titles where title.weight != 0 {
        weighted.append((ordinal, title.weight))
        vectors.add(ordinal, weight: ProfileVector.factor(ofWeight: title.weight), to: sum)
        if title.weight > 0 {
          profile.historyCount += 1
          profile.genres.add(genreSet: catalogue.genres(ordinal), weight: title.weight)
        }
      }
      return ProfileVector.normalise(sum)
    }
    vector = hasDirection && profile.historyCount > 0 ? sum : []
    last = []
    if let (_, ordinal) = titles.first(where: \.0.isBecause) {
      last = [Float](repeating: 0, count: vectors.dimensions)
      last.withUnsafeMutableBufferPointer { vectors.add(ordinal, weight: 1, to: $0) }
    }
    // As in serving: a profile without a vector gets nothing that hangs on its history.
    if !vector.isEmpty { profile.neighbours.add(weighted, neighbours) }
    self.profile = profile
    inProgress = Set(features.continueWatching.compactMap { found[$0] })
    met = Set(titles.map(\.ordinal))
    excluded = Set(
      titles.filter { $0.0.isCompleted || $0.0.isRejected }.map(\.ordinal)
        + features.finished.compactMap { catalogue.ordinal(ofID: $0) })
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
    let facts = catalogue.facts(ordinal)
    let age = facts.releaseDay.map { Float(Double(at.milliseconds) / 86_400_000) - Float($0) }
    return CandidateFeatures.row(
      CandidateFeatures.Inputs(
        ordinal: ordinal,
        similarity: vector.isEmpty ? 0 : vector.withUnsafeBufferPointer { vectors.dot(ordinal, $0) },
        similarityLast: last.isEmpty ? 0 : last.withUnsafeBufferPointer { vectors.dot(ordinal, $0) },
        popularity: scores.popularity, ageDays: age, genres: facts.genres, trending: scores.trending,
        isInProgress: isInProgress(ordinal), isMet: isMet(ordinal)), for: profile)
  }
}
