internal import Base
internal import Catalogue

extension InteractionTable {
  /// Of each profile the titles that it wanted, each once, the latest last: what neighbours are found by.
  var wanted: [[UInt32]] {
    (0..<profileCount).map { profile in
      var known: Set<UInt32> = []
      return rows(of: profile).reversed().compactMap {
        $0.interest >= Visit.interestMin && known.insert($0.ordinal).inserted ? $0.ordinal : nil
      }.reversed()
    }
  }
}

/// One time that a profile took to a title, and how it ended: the unit that training rows are made of.
struct Visit {
  var profile: Int
  /// Place of its first interaction among the profile's.
  var place: Int
  var ordinal: UInt32
  var at: Timestamp
  /// Whether the profile turned out to want it.
  var isWanted: Bool

  /// Interactions with the same title closer than this are one visit.
  static let gapMilliseconds: Int64 = 6 * 3_600_000
  /// The interest from which a visit counts as wanted: half of the title seen, or on the list.
  static let interestMin: Float = 0.5

  /// The visits of one profile, in time order. Those that say neither yes nor no are left out.
  static func all(of profile: Int, in table: InteractionTable) -> [Visit] {
    let rows = table.rows(of: profile)
    var open: [UInt32: (visit: Visit, last: Timestamp, isRejected: Bool)] = [:]
    var closed: [(visit: Visit, isRejected: Bool)] = []
    for (place, row) in rows.enumerated() where row.kind != .impression {
      if let known = open[row.ordinal], row.at.milliseconds - known.last.milliseconds <= gapMilliseconds {
        open[row.ordinal]?.last = row.at
      } else {
        if let known = open[row.ordinal] { closed.append((known.visit, known.isRejected)) }
        let visit = Visit(profile: profile, place: place, ordinal: row.ordinal, at: row.at, isWanted: false)
        open[row.ordinal] = (visit, row.at, false)
      }
      if row.interest >= interestMin { open[row.ordinal]?.visit.isWanted = true }
      if row.kind.isRejection { open[row.ordinal]?.isRejected = true }
    }
    closed += open.values.map { ($0.visit, $0.isRejected) }
    return closed.filter { $0.visit.isWanted || $0.isRejected }.map(\.visit).sorted { $0.place < $1.place }
  }
}
