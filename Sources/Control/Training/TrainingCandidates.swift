internal import Base
internal import Catalogue
internal import Ranking
internal import Retrieval

/// What retrieval would have brought a profile at a moment: the titles that a ranker has to sort, and so the ones that it
/// has to learn from.
///
/// A ranker that learns from titles drawn otherwise learns how they were drawn: with half of the negatives from near the
/// profile, nearness speaks against a title, and the rows that are served are ordered by that.
struct TrainingCandidates {
  let catalogue: CatalogueView
  let index: PartitionedIndex
  let timeline: ScoreTimeline
  let time: any TimeSource

  /// As the default policy has it: by nearness to the profile, to the title last watched, by trend, by release, by who
  /// wants it, by who watched the same; these and the popular ones for all that is left.
  private static let (similar, last, trending, new, popular, coWatched, total) = (
    120, 30, 50, 40, 30, 210, 500
  )

  /// Each once, in the order of the sources; none that the profile has finished or turned down.
  func gather(_ moment: ProfileMoment, new released: [UInt32], scratch: SearchScratch) -> [UInt32] {
    var gathered: [UInt32] = []
    var known: Set<UInt32> = []
    func add(_ ordinal: UInt32) -> Bool {
      guard catalogue.isLive(ordinal), !moment.isExcluded(ordinal) else { return false }
      if known.insert(ordinal).inserted { gathered.append(ordinal) }
      return true
    }
    func add(_ ordinals: some Sequence<UInt32>, _ quota: Int) {
      var room = quota
      for ordinal in ordinals where room > 0 && add(ordinal) { room -= 1 }
    }
    add(moment.inProgress.sorted(), moment.inProgress.count)
    func search(_ vector: [Float], _ quota: Int) {
      guard !vector.isEmpty else { return }
      let outcome = vector.withUnsafeBufferPointer {
        index.search(
          $0, k: min(quota + moment.excludedCount + 1, Limits.candidateCountMax), time: time, scratch: scratch
        )
      }
      add((0..<outcome.count).map { scratch.ordinals[$0] }, quota)
    }
    search(moment.vector, Self.similar)
    search(moment.last, Self.last)
    let lists = timeline.lists(at: moment.at)
    add(lists.trending, Self.trending)
    add(released, Self.new)
    add(lists.popular, Self.popular)
    var keys: [UInt64] = []
    let room = max(Self.coWatched, Self.total - gathered.count)
    moment.neighbours.best(room, into: &keys) {
      catalogue.isLive($0) && !moment.isExcluded($0) && !moment.isMet($0) && !known.contains($0)
    } body: {
      _ = add($0)
    }
    for ordinal in lists.popular where gathered.count < Self.total { _ = add(ordinal) }
    return gathered
  }

  /// The newest titles of a day, enough for a profile that has finished many.
  func released(on day: Day) -> [UInt32] { catalogue.new(Self.new + 200, on: day) }
}
