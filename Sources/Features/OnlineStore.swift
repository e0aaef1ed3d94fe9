package import Base

/// What has happened lately, by profile and by title: written as events become durable, read by every Rank.
///
/// Windows are event time. The order in which events come, and how often, makes no difference to what is read later.
package protocol OnlineStore: Sendable {
  /// Takes events that the log has made durable.
  func apply(_ events: [Event]) async throws(Fault)

  /// What a profile has done lately; an empty history for one that isn't known.
  func recent(_ profileID: String) async throws(Fault) -> ProfileHistory

  /// The titles with the highest decayed popularity at `now`, best first, with scores above zero. At most `limit`.
  func trending(
    now: Timestamp, limit: Int, definitions: FeatureDefinitions.Trending
  ) async throws(Fault) -> [TrendingTitle]
}

/// A title and its popularity in the region: the sum of its events' weights, each halved for every half-life of its age.
package struct TrendingTitle: Sendable, Equatable {
  package var titleID: String
  package var score: Float

  package init(titleID: String, score: Float) {
    self.titleID = titleID
    self.score = score
  }
}
