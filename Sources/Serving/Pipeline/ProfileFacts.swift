internal import Base
internal import Catalogue
internal import Features
internal import Ranking
internal import Retrieval

/// What a profile's history says in one generation's ordinals. In memory that a worker keeps.
struct ProfileFacts {
  /// What ranking's rows need of the profile. Who watched the same watched its neighbours: empty until
  /// ``gatherNeighbours(_:)``.
  private(set) var ranked = CandidateFeatures.Profile()
  /// The title last watched with liking: what "because you watched" is about.
  private(set) var last: UInt32?
  /// Begun and not finished, newest first.
  private(set) var continueWatching: [UInt32] = []
  /// Seen to the end, or turned down.
  private(set) var excluded = OrdinalTable(
    countMax: Limits.recentEventCountMax + Limits.finishedTitleCountMax)
  private(set) var inProgress = OrdinalTable(countMax: Limits.recentEventCountMax)
  /// What any event of the history is about.
  private(set) var met = OrdinalTable(countMax: Limits.recentEventCountMax)
  private var weighted: [(ordinal: UInt32, weight: Float)] = []
  private var found: [UInt32?] = []

  init() {
    continueWatching.reserveCapacity(Limits.recentEventCountMax)
    weighted.reserveCapacity(Limits.recentEventCountMax)
    found.reserveCapacity(Limits.finishedTitleCountMax)
  }

  mutating func removeAll() {
    ranked.reset()
    last = nil
    continueWatching.removeAll(keepingCapacity: true)
    weighted.removeAll(keepingCapacity: true)
    excluded.removeAll()
    inProgress.removeAll()
    met.removeAll()
  }

  /// Titles that aren't in the generation say nothing. ``last`` is none above `maturityMax`, since a row bears its name.
  mutating func read(_ features: ProfileFeatures, in view: CatalogueView, maturityMax: UInt8) {
    removeAll()
    view.find(
      min(features.titles.count, Limits.recentEventCountMax), id: { features.titles[$0].id }, found: &found)
    for (title, ordinal) in zip(features.titles, found) {
      guard let ordinal else { continue }
      _ = met.insert(ordinal, 0)
      if title.weight != 0 { weighted.append((ordinal, title.weight)) }
      if title.weight > 0 {
        ranked.historyCount += 1
        ranked.genres.add(genreSet: view.genres(ordinal), weight: title.weight)
      }
      if title.isBecause, last == nil, view.maturity(ordinal) <= maturityMax { last = ordinal }
      if title.isCompleted || title.isRejected { _ = excluded.insert(ordinal, 0) }
    }
    for place in features.continueWatching where place < found.count {
      guard let ordinal = found[place] else { continue }
      continueWatching.append(ordinal)
      _ = inProgress.insert(ordinal, 0)
    }
    view.find(
      min(features.finished.count, Limits.finishedTitleCountMax), id: { features.finished[$0] }, found: &found
    )
    for case .some(let ordinal) in found { _ = excluded.insert(ordinal, 0) }
  }

  /// Adds up what is watched by those who watched the same.
  mutating func gatherNeighbours(_ titles: TitleNeighbours) {
    ranked.neighbours.add(weighted, titles)
  }

  /// The profile's vector in the space of `vectors`, at unit length. False when the history says nothing for anything,
  /// or leads nowhere.
  func vector(_ vectors: PartitionedVectors, to vector: UnsafeMutableBufferPointer<Float>) -> Bool {
    guard ranked.historyCount > 0 else { return false }
    vector.update(repeating: 0)
    for (ordinal, weight) in weighted {
      vectors.add(ordinal, weight: ProfileVector.factor(ofWeight: weight), to: vector)
    }
    return ProfileVector.normalise(vector)
  }
}
