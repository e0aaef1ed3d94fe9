#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// What a ranker sees of one candidate: the names, and the one computation of a row, for serving and for training.
///
/// Every value is finite and within -1...1, so that a ranker needs no scaling of its own. What can't be known offline
/// (which source brought the candidate, its position) is not here: a training row could not have it.
package enum CandidateFeatures {
  /// In the order in which they stand in a row. The ranker segment names the same, or is refused.
  package static let names = [
    "similarity", "similarity_last", "popularity", "recency", "genre_affinity", "trending", "is_new",
    "history_count", "in_progress", "similarity_by_history",
  ]
  package static var count: Int { names.count }

  /// A title's age at which its recency is a half, in days.
  package static let recencyHalfLifeDays: Float = 180
  /// A title is new up to this age, in days.
  package static let newDays: Float = 30
  /// The history count whose value is 1.
  package static let historyCountMax = 100

  /// The primitive facts about one candidate and the profile that it is for.
  package struct Inputs: Sendable {
    /// Cosine of the title's vector and the profile's; 0 without a profile vector.
    package var similarity: Float
    /// Cosine of the title's vector and that of the title last watched; 0 without one.
    package var similarityLast: Float
    /// 0...1, as ``CandidateFeatures/popularity(count:most:)`` gives it.
    package var popularity: Float
    /// Days from the release to the request; `nil` when the release is unknown. Before the release is negative.
    package var ageDays: Float?
    /// 0...1, as ``GenreShares/affinity(_:)`` gives it.
    package var genreAffinity: Float
    /// 0...1: how much more it is watched lately than it was, against the most trending title.
    package var trending: Float
    /// Events of the profile that are not rejections, within what is kept for serving.
    package var historyCount: Int
    /// Started and neither completed nor left.
    package var isInProgress: Bool

    package init(
      similarity: Float, similarityLast: Float, popularity: Float, ageDays: Float?, genreAffinity: Float,
      trending: Float, historyCount: Int, isInProgress: Bool
    ) {
      self.similarity = similarity
      self.similarityLast = similarityLast
      self.popularity = popularity
      self.ageDays = ageDays
      self.genreAffinity = genreAffinity
      self.trending = trending
      self.historyCount = historyCount
      self.isInProgress = isInProgress
    }
  }

  /// Writes one row of ``count`` floats.
  package static func write(_ inputs: Inputs, to row: UnsafeMutableBufferPointer<Float>) {
    precondition(row.count >= 10, "a row has \(count) features")
    let similarity = bounded(inputs.similarity)
    let history = historyValue(inputs.historyCount)
    row[0] = similarity
    row[1] = bounded(inputs.similarityLast)
    row[2] = bounded(inputs.popularity)
    row[3] = recency(ageDays: inputs.ageDays)
    row[4] = bounded(inputs.genreAffinity)
    row[5] = bounded(inputs.trending)
    row[6] = isNew(ageDays: inputs.ageDays) ? 1 : 0
    row[7] = history
    row[8] = inputs.isInProgress ? 1 : 0
    row[9] = similarity * history
  }

  /// One row as an array: for training, where there is time.
  package static func row(_ inputs: Inputs) -> [Float] {
    [Float](unsafeUninitializedCapacity: count) { buffer, initialized in
      write(inputs, to: buffer)
      initialized = count
    }
  }

  /// Interactions on a logarithmic scale, 0...1, where `most` is the count of the most watched title.
  package static func popularity(count: Float, most: Float) -> Float {
    guard count > 0, most > 0 else { return 0 }
    return min(1, log1pf(count) / log1pf(most))
  }

  /// 1 at the release, a half after ``recencyHalfLifeDays``; 0 when the release is unknown, 1 before it.
  package static func recency(ageDays: Float?) -> Float {
    guard let ageDays, ageDays.isFinite else { return 0 }
    return exp2f(-max(0, ageDays) / recencyHalfLifeDays)
  }

  package static func isNew(ageDays: Float?) -> Bool {
    guard let ageDays else { return false }
    return ageDays >= 0 && ageDays <= newDays
  }

  private static func historyValue(_ historyCount: Int) -> Float {
    let capped = Float(min(max(historyCount, 0), historyCountMax))
    return log1pf(capped) / log1pf(Float(historyCountMax))
  }

  /// A peer's float may be anything: what is not finite is 0.
  private static func bounded(_ value: Float) -> Float { value.isFinite ? min(1, max(-1, value)) : 0 }
}

/// How a profile's watching is spread over genres: shares that sum to 1. Reused from request to request.
package struct GenreShares: Sendable {
  private var weights: [Float] = []
  private var total: Float = 0

  package init() {}

  /// Forgets everything, for another profile in a generation of `genreCount` genres.
  package mutating func reset(genreCount: Int) {
    total = 0
    if weights.count == genreCount {
      for genre in weights.indices { weights[genre] = 0 }
    } else {
      weights = [Float](repeating: 0, count: genreCount)
    }
  }

  /// One watched title: its weight is divided among its genres. Weights that aren't positive say nothing here.
  package mutating func add(genres: some Collection<Int>, weight: Float) {
    guard weight > 0, weight.isFinite, !genres.isEmpty else { return }
    let share = weight / Float(genres.count)
    for genre in genres where weights.indices.contains(genre) {
      weights[genre] += share
      total += share
    }
  }

  /// The part of the watching that was in one of these genres, 0...1; 0 without history.
  package func affinity(_ genres: some Sequence<Int>) -> Float {
    guard total > 0 else { return 0 }
    var sum: Float = 0
    for genre in genres where weights.indices.contains(genre) { sum += weights[genre] }
    return min(1, sum / total)
  }
}
