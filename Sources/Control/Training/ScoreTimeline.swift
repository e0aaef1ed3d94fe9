internal import Base
internal import Catalogue

/// Popularity and trend as they were at a few moments, so that a training row sees none that came later.
struct ScoreTimeline {
  private let moments: [Timestamp]
  private let scores: [TitleScores]

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
  }

  /// The last known at `time` or before: popularity and trend, 0 to 1.
  func values(_ ordinal: UInt32, at time: Timestamp) -> (popularity: Float, trending: Float) {
    var low = 0
    var high = moments.count
    while low < high {
      let middle = (low + high) / 2
      if moments[middle] <= time { low = middle + 1 } else { high = middle }
    }
    guard low > 0 else { return (0, 0) }
    let known = scores[low - 1]
    return (known.popularity[Int(ordinal)], known.trending[Int(ordinal)])
  }
}
