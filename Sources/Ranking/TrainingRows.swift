/// Labelled rows of features, to train and to evaluate on.
package struct TrainingRows: Sendable {
  package let featureCount: Int
  /// `featureCount` floats a row; one that is not a number is a missing value.
  package private(set) var values: [Float] = []
  /// 0 to 1.
  package private(set) var labels: [Float] = []
  /// How much each row counts; not negative.
  package private(set) var weights: [Float] = []
  /// The request or session that a row belongs to; rows of a group stand together.
  package private(set) var groups: [Int] = []

  package init(featureCount: Int) {
    precondition(featureCount > 0, "a row has features")
    self.featureCount = featureCount
  }

  package var count: Int { labels.count }

  package mutating func append(
    _ features: some Collection<Float>, label: Float, weight: Float = 1, group: Int = 0
  ) {
    precondition(features.count == featureCount, "a row is whole")
    precondition(
      label >= 0 && label <= 1 && weight >= 0 && weight < .infinity, "a label and a weight in bounds")
    values.append(contentsOf: features)
    labels.append(label)
    weights.append(weight)
    groups.append(group)
  }

  /// Mean of each feature and what its distance from the mean is multiplied by for unit variance. Missing values don't
  /// count, and a constant feature is multiplied by zero.
  func normalisation() -> (means: [Float], scales: [Float]) {
    var sums = [Double](repeating: 0, count: featureCount)
    var squares = sums
    var counts = sums
    for row in 0..<count {
      for feature in 0..<featureCount {
        let value = Double(values[row * featureCount + feature])
        guard value.isFinite else { continue }
        sums[feature] += value
        squares[feature] += value * value
        counts[feature] += 1
      }
    }
    var means = [Float](repeating: 0, count: featureCount)
    var scales = means
    for feature in 0..<featureCount where counts[feature] > 0 {
      let mean = sums[feature] / counts[feature]
      let variance = squares[feature] / counts[feature] - mean * mean
      means[feature] = Float(mean)
      // Below this the difference of squares is rounding.
      if variance > 1e-10 * max(1, mean * mean) { scales[feature] = Float(1 / variance.squareRoot()) }
    }
    return (means, scales)
  }
}
