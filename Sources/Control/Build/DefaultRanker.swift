package import Ranking

/// The ranker of a snapshot that was built without a trained one: logistic, with weights that a person can read.
package enum DefaultRanker {
  /// What each feature adds to the logit, by its name; a feature that isn't here adds nothing.
  private static let weights: [String: Float] = [
    "similarity": 3, "similarity_last": 0.5, "popularity": 2, "recency": 0.5, "genre_affinity": 1,
    "trending": 1,
    "is_new": 0.2, "in_progress": 1, "similarity_by_history": 2, "co_watched": 2, "co_watched_share": 2,
    "is_met": -1,
  ]
  /// An average title is watched by few.
  private static let bias: Float = -4

  package static var parameters: RankerParameters {
    let names = CandidateFeatures.names
    return RankerParameters(
      features: names, shape: RankerShape(featureCount: names.count, widths: [1]),
      means: names.map { _ in 0 }, scales: names.map { _ in 1 }, weights: [names.map { weights[$0] ?? 0 }],
      biases: [[bias]])
  }
}
