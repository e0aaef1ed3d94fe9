internal import Base

/// A mean over requests of many profiles, with the interval that it would mostly lie in if other profiles had come.
///
/// Percentile bootstrap (Efron 1979) that draws profiles and not requests: requests of one profile are alike.
package struct Bootstrap: Sendable, Equatable {
  package var mean: Double
  /// 2.5 and 97.5 percent of the draws lie below them.
  package var low: Double
  package var high: Double

  package static let drawCount = 2000

  /// - Parameter values: of each profile those of its requests; profiles without any are left out. `nil` when all are.
  package init?(_ values: [[Double]], seed: UInt64) {
    let profiles = values.filter { !$0.isEmpty }.map { (sum: $0.reduce(0, +), count: Double($0.count)) }
    guard !profiles.isEmpty else { return nil }
    mean = profiles.reduce(0) { $0 + $1.sum } / profiles.reduce(0) { $0 + $1.count }
    var random = SplitMix(seed: seed)
    var means: [Double] = []
    means.reserveCapacity(Self.drawCount)
    for _ in 0..<Self.drawCount {
      var (sum, count) = (0.0, 0.0)
      for _ in profiles.indices {
        let drawn = profiles[Int(random.next() % UInt64(profiles.count))]
        sum += drawn.sum
        count += drawn.count
      }
      means.append(sum / count)
    }
    means.sort()
    low = means[Int(Double(Self.drawCount) * 0.025)]
    high = means[Int(Double(Self.drawCount) * 0.975)]
  }
}
