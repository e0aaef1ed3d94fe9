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

  /// The region's trending titles that are in this generation, best first, 0 < score ≤ 1.
  struct Live: Sendable {
    var entries: [Entry] = []
    /// Another for each time that they were made.
    var stamp: UInt64 = 0
  }

  private struct State {
    var live = Live()
    var until = Instant(nanoseconds: 0)
  }

  private let state = Mutex(State())

  func live(
    _ view: CatalogueView, _ histories: any HistorySource, _ definitions: FeatureDefinitions,
    time: any TimeSource
  ) -> Live {
    let instant = time.instant
    // Whoever comes first makes it; the others take the old one meanwhile.
    let known = state.withLock { state -> Live? in
      if instant < state.until { return state.live }
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
    return state.withLock { state in
      state.live = Live(entries: entries, stamp: state.live.stamp + 1)
      return state.live
    }
  }

  /// Live titles and those that the snapshot knew of, best first, each once: of those that are allowed.
  static func blend(_ live: Live, builtIn: [UInt32], _ view: CatalogueView, allowed: Bitmap) -> [UInt32] {
    var scores: [UInt32: Float] = [:]
    for entry in live.entries where allowed[Int(entry.ordinal)] && scores[entry.ordinal] == nil {
      scores[entry.ordinal] = blend(live: entry.score, builtIn: view.trending(entry.ordinal))
    }
    for ordinal in builtIn where scores[ordinal] == nil {
      scores[ordinal] = blend(live: 0, builtIn: view.trending(ordinal))
    }
    return scores.sorted { ($0.value, $1.key) > ($1.value, $0.key) }.map(\.key)
  }

  /// Live and built-in scores, each 0...1, as one.
  private static func blend(live: Float, builtIn: Float) -> Float {
    liveShare * live + (1 - liveShare) * builtIn
  }
}
