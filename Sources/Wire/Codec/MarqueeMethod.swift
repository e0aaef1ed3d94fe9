/// Every method of ours. Who may call them is in ``AccessTable``.
package enum MarqueeMethod: String, Sendable, CaseIterable {
  case rank = "/marquee.v1.Ranking/Rank"
  case record = "/marquee.v1.Events/Record"
  case getRouting = "/marquee.v1.Routing/GetRouting"
  case watchRouting = "/marquee.v1.Routing/WatchRouting"
  case fetchChunks = "/marquee.v1.Chunks/Fetch"
  case follow = "/marquee.v1.Fleet/Follow"
  case publish = "/marquee.v1.Operations/Publish"
  case missingChunks = "/marquee.v1.Operations/MissingChunks"
  case rollback = "/marquee.v1.Operations/Rollback"
  case pin = "/marquee.v1.Operations/Pin"
  case unpin = "/marquee.v1.Operations/Unpin"
  case status = "/marquee.v1.Operations/Status"
  case route = "/marquee.v1.Operations/Route"

  package var path: String { rawValue }

  /// Whether a draining server waits for open calls: not for those that never end by themselves.
  var holdsDrain: Bool {
    switch self {
    case .watchRouting, .follow: false
    default: true
    }
  }
}
