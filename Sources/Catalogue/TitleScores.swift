package import Base

/// Popularity and trend of each ordinal, 0 to 1.
package struct TitleScores: Equatable, Sendable {
  /// Interest halves with each of these.
  package static let popularityHalfLifeSeconds = 90.0 * 86_400
  package static let trendingHalfLifeSeconds = 3.0 * 86_400

  package var popularity: [Float]
  package var trending: [Float]

  package init(popularity: [Float], trending: [Float]) {
    self.popularity = popularity
    self.trending = trending
  }

  /// Nobody has seen anything yet.
  package init(count: Int) {
    self.init(
      popularity: [Float](repeating: 0, count: count), trending: [Float](repeating: 0, count: count))
  }

  /// Sums interest that decays with age: log(1 + sum), as a share of the highest. Interactions after `now` are left
  /// out, so that scores for training know nothing of what came later.
  package init(_ table: InteractionTable, count: Int, now: Timestamp) {
    var popularity = [Double](repeating: 0, count: count)
    var trending = [Double](repeating: 0, count: count)
    for row in table.rows where row.at <= now && Int(row.ordinal) < count {
      let interest = Double(row.interest)
      guard interest > 0 else { continue }
      let age = Double(now.milliseconds - row.at.milliseconds) / 1000
      popularity[Int(row.ordinal)] += interest * halved(age / Self.popularityHalfLifeSeconds)
      trending[Int(row.ordinal)] += interest * halved(age / Self.trendingHalfLifeSeconds)
    }
    self.init(popularity: Self.scaled(popularity), trending: Self.scaled(trending))
  }

  private static func scaled(_ sums: [Double]) -> [Float] {
    guard let highest = sums.max(), highest > 0 else { return [Float](repeating: 0, count: sums.count) }
    let scale = 1 / logOfOnePlus(highest)
    return sums.map { Float(logOfOnePlus($0) * scale) }
  }
}
