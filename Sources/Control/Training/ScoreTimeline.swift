internal import Base
internal import Catalogue

/// Popularity and trend as they were at a few moments, so that a training row sees none that came later.
struct ScoreTimeline {
  private let moments: [Timestamp]
  private let scores: [TitleScores]
  private let orders: [Lists]

  /// The titles that stood highest at a moment, best first, ties by ordinal.
  struct Lists {
    var popular: [UInt32] = []
    var trending: [UInt32] = []

    /// As many as retrieval may want, and those of them that a profile has finished.
    fileprivate static let countMax = 1000
  }

  /// The moments are spread so that about as many interactions lie between any two.
  init(_ table: InteractionTable, titleCount: Int, sorted times: [Timestamp], momentCount: Int) {
    var moments: [Timestamp] = []
    for index in 0..<max(1, momentCount) where !times.isEmpty {
      let moment = times[index * times.count / max(1, momentCount)]
      if moments.last != moment { moments.append(moment) }
    }
    self.moments = moments
    // Strictly before: what happened at the moment itself is what is to be foretold.
    scores = moments.map {
      TitleScores(table, count: titleCount, now: Timestamp(milliseconds: $0.milliseconds - 1))
    }
    orders = scores.map { Lists(popular: Self.top($0.popularity), trending: Self.top($0.trending)) }
  }

  private static func top(_ scores: [Float]) -> [UInt32] {
    let known = scores.indices.filter { scores[$0] > 0 }
    return known.sorted { (scores[$0], $1) > (scores[$1], $0) }.prefix(Lists.countMax).map { UInt32($0) }
  }

  /// The last known at `time` or before: popularity and trend, 0 to 1.
  func values(_ ordinal: UInt32, at time: Timestamp) -> (popularity: Float, trending: Float) {
    guard let place = place(of: time) else { return (0, 0) }
    return (scores[place].popularity[Int(ordinal)], scores[place].trending[Int(ordinal)])
  }

  /// The lists that were known at `time`.
  func lists(at time: Timestamp) -> Lists { place(of: time).map { orders[$0] } ?? Lists() }

  private func place(of time: Timestamp) -> Int? {
    var low = 0
    var high = moments.count
    while low < high {
      let middle = (low + high) / 2
      if moments[middle] <= time { low = middle + 1 } else { high = middle }
    }
    return low > 0 ? low - 1 : nil
  }
}
