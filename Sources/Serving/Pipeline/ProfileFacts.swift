internal import Base
internal import Catalogue
internal import Features
internal import Ranking
internal import Retrieval

/// What a profile's history says in one generation's ordinals. In memory that a worker keeps.
struct ProfileFacts {
  /// Titles with a weight above zero.
  private(set) var historyCount = 0
  /// The title last watched with liking: what "because you watched" is about.
  private(set) var last: UInt32?
  /// Begun and not finished, newest first.
  private(set) var continueWatching: [UInt32] = []
  /// Seen to the end, or turned down.
  private(set) var excluded = OrdinalTable(
    countMax: 2 * Limits.recentEventCountMax + Limits.finishedTitleCountMax)
  private(set) var inProgress = OrdinalTable(countMax: Limits.recentEventCountMax)
  /// What any event of the history is about.
  private(set) var met = OrdinalTable(countMax: Limits.recentEventCountMax)
  /// Who watched the same watched these: empty until ``gatherNeighbours(_:)``.
  private(set) var neighbours = NeighbourSums()
  private(set) var genres = GenreShares()
  private var weighted: [(ordinal: UInt32, weight: Float)] = []

  init() {
    continueWatching.reserveCapacity(Limits.recentEventCountMax)
    weighted.reserveCapacity(Limits.recentEventCountMax)
  }

  mutating func removeAll() {
    historyCount = 0
    last = nil
    continueWatching.removeAll(keepingCapacity: true)
    weighted.removeAll(keepingCapacity: true)
    excluded.removeAll()
    inProgress.removeAll()
    met.removeAll()
    neighbours.reset()
    genres.reset()
  }

  /// Titles that aren't in the generation say nothing. ``last`` is none above `maturityMax`, since a row bears its name.
  mutating func read(_ features: ProfileFeatures, in view: CatalogueView, maturityMax: UInt8) {
    removeAll()
    for title in features.weighted.prefix(Limits.recentEventCountMax) {
      guard let ordinal = view.ordinal(ofID: title.titleID) else { continue }
      weighted.append((ordinal, title.weight))
      if title.weight > 0 {
        historyCount += 1
        genres.add(genreSet: view.genres(ordinal), weight: title.weight)
      }
    }
    for id in features.becauseOf where last == nil {
      if let ordinal = view.ordinal(ofID: id), view.maturity(ordinal) <= maturityMax { last = ordinal }
    }
    for title in features.continueWatching.prefix(Limits.recentEventCountMax) {
      guard let ordinal = view.ordinal(ofID: title.titleID) else { continue }
      continueWatching.append(ordinal)
      _ = inProgress.insert(ordinal, 0)
    }
    for id in features.met.prefix(Limits.recentEventCountMax) {
      if let ordinal = view.ordinal(ofID: id) { _ = met.insert(ordinal, 0) }
    }
    exclude(features.completed, in: view)
    exclude(features.rejected, in: view)
  }

  private mutating func exclude(_ ids: Set<String>, in view: CatalogueView) {
    for id in ids where excluded.count < excluded.countMax {
      if let ordinal = view.ordinal(ofID: id) { _ = excluded.insert(ordinal, 0) }
    }
  }

  /// Adds up what is watched by those who watched the same.
  mutating func gatherNeighbours(_ titles: TitleNeighbours) {
    neighbours.add(weighted, titles)
  }

  /// The profile's vector in the space of `vectors`, at unit length. False when the history says nothing for anything,
  /// or leads nowhere.
  func vector(_ vectors: PartitionedVectors, to vector: UnsafeMutableBufferPointer<Float>) -> Bool {
    guard historyCount > 0 else { return false }
    vector.update(repeating: 0)
    for (ordinal, weight) in weighted {
      vectors.add(ordinal, weight: ProfileVector.factor(ofWeight: weight), to: vector)
    }
    return ProfileVector.normalise(vector)
  }
}
