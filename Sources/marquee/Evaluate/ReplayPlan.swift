import Base
import Catalogue

/// Which requests a replay makes, and what each profile turned out to want.
///
/// A request is made at the moment of a visit after the split, as the profile was then: what it had done until then is
/// known, and nothing later. Wanted are the titles that it took to within the horizon and had not met before.
struct ReplayPlan {
  struct Request {
    var profile: Int
    var at: Timestamp
    /// What the profile had met before: never an answer.
    var seen: Set<UInt32>
    /// What it had wanted before, the latest last.
    var history: [UInt32]
    var wanted: Set<UInt32>
  }

  /// In time order.
  private(set) var requests: [Request] = []
  /// Of each profile that has requests, their places in `requests`.
  private(set) var places: [[Int]] = []

  /// The interest from which a title counts as wanted: half of it seen, or more.
  static let interestMin: Float = 0.5
  /// Wanted titles of the past that baselines look at.
  private static let historyCountMax = 100

  /// - Parameters:
  ///   - requestsPerProfile: at most, drawn from the profile's visits.
  ///   - requestCountMax: in all; profiles are drawn.
  init(
    _ table: InteractionTable, from split: Timestamp, horizonMilliseconds: Int64, requestsPerProfile: Int,
    requestCountMax: Int, seed: UInt64
  ) {
    var random = SplitMix(seed: seed ^ 0xe7a1)
    for profile in (0..<table.profileCount).shuffled(using: &random) where requests.count < requestCountMax {
      let rows = Array(table.rows(of: profile))
      let visits = Self.newWanted(rows).filter { rows[$0].at >= split }
      let count = min(requestsPerProfile, requestCountMax - requests.count)
      var moments = Set(visits.shuffled(using: &random).prefix(count).map { rows[$0].at })
      for place in visits where moments.contains(rows[place].at) {
        moments.remove(rows[place].at)
        requests.append(
          Self.request(profile, at: rows[place].at, rows: rows, horizonMilliseconds: horizonMilliseconds))
      }
    }
    requests.sort { ($0.at, $0.profile) < ($1.at, $1.profile) }
    let byProfile = Dictionary(grouping: requests.indices) { requests[$0].profile }
    places = byProfile.sorted { $0.key < $1.key }.map(\.value)
  }

  /// Places of the rows by which a profile first met a title, and wanted it.
  private static func newWanted(_ rows: [InteractionTable.Row]) -> [Int] {
    var seen: Set<UInt32> = []
    return rows.indices.filter { place in
      let row = rows[place]
      guard row.kind != .impression else { return false }
      return seen.insert(row.ordinal).inserted && row.interest >= interestMin
    }
  }

  private static func request(
    _ profile: Int, at moment: Timestamp, rows: [InteractionTable.Row], horizonMilliseconds: Int64
  ) -> Request {
    // Strictly before: of two things at the same millisecond neither foretells the other.
    let past = rows.prefix { $0.at < moment }
    let seen = Set(past.lazy.filter { $0.kind != .impression }.map(\.ordinal))
    var history: [UInt32] = []
    for row in past.reversed() where row.interest >= interestMin && history.count < historyCountMax {
      if !history.contains(row.ordinal) { history.append(row.ordinal) }
    }
    let end = moment.milliseconds + horizonMilliseconds
    let wanted = rows[past.count...].prefix { $0.at.milliseconds < end }.filter {
      $0.interest >= interestMin && !seen.contains($0.ordinal)
    }
    return Request(
      profile: profile, at: moment, seen: seen, history: history.reversed(),
      wanted: Set(wanted.map(\.ordinal)))
  }

  /// Of each profile the titles that it wanted, each once, the latest last: what baselines learn from.
  static func wanted(_ table: InteractionTable) -> [[UInt32]] {
    (0..<table.profileCount).map { profile in
      var known: Set<UInt32> = []
      return table.rows(of: profile).compactMap {
        $0.interest >= interestMin && known.insert($0.ordinal).inserted ? $0.ordinal : nil
      }
    }
  }
}
