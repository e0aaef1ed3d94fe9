internal import Base
internal import Catalogue
internal import Features
internal import Synchronization

/// What trends: the region's live counts blended with the snapshot's, as ordinals of one generation, made again when
/// a second old.
final class TrendingCache: Sendable {
  static let countMax = 500
  private static let holdMilliseconds: UInt64 = 1000
  /// What the region watches now says more than what the catalogue's statistics said at the build.
  private static let liveShare: Float = 0.6

  struct Entry: Sendable {
    var ordinal: UInt32
    var score: Float
  }

  private struct State {
    var entries: [Entry] = []
    var until = Instant(nanoseconds: 0)
  }

  private let state = Mutex(State())

  /// The region's trending titles that are in this generation, best first, 0 < score ≤ 1.
  func entries(
    _ view: CatalogueView, _ histories: any HistorySource, _ definitions: FeatureDefinitions,
    time: any TimeSource
  ) -> [Entry] {
    let instant = time.instant
    // Whoever comes first makes it; the others take the old one meanwhile.
    let known = state.withLock { state -> [Entry]? in
      if instant < state.until { return state.entries }
      state.until = instant.advanced(byMilliseconds: Self.holdMilliseconds)
      return nil
    }
    if let known { return known }
    let titles = histories.trending(now: time.now, limit: Self.countMax, definitions: definitions.trending)
    let most = titles.first?.score ?? 0
    let entries: [Entry] =
      most > 0 && most.isFinite
      ? titles.compactMap { title in
        guard title.score > 0, let ordinal = view.ordinal(ofID: title.titleID) else { return nil }
        return Entry(ordinal: ordinal, score: title.score / most)
      } : []
    state.withLock { $0.entries = entries }
    return entries
  }

  /// Live and built-in scores, each 0...1, as one.
  static func blend(live: Float, builtIn: Float) -> Float {
    liveShare * live + (1 - liveShare) * builtIn
  }
}
