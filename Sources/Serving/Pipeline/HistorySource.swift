package import Base
package import Features

/// Where ranking reads what happened lately. Called on ranking threads: an answer that can't be there in time is no
/// answer, and nothing here throws.
package protocol HistorySource: Sendable {
  /// The profile's history, empty for one that isn't known; `nil` when it did not come before `deadline`.
  func history(_ profileID: String, by deadline: Instant) -> ProfileHistory?
  /// The region's trending titles, best first; none when they can't be had.
  func trending(now: Timestamp, limit: Int, definitions: FeatureDefinitions.Trending) -> [TrendingTitle]
}

extension EmbeddedOnlineStore: HistorySource {
  /// In memory: always in time.
  package func history(_ profileID: String, by deadline: Instant) -> ProfileHistory? { recent(profileID) }
}
