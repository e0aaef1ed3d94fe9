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
    "history_count", "in_progress", "similarity_by_history", "co_watched", "co_watched_recent",
    "co_watched_share",
    "is_met",
  ]
  /// As many as there are names: a number, since it is in the innermost loops.
  package static let count = 14

  /// A title's age at which its recency is a half, in days.
  package static let recencyHalfLifeDays: Float = 180
  /// A title is new up to this age, in days.
  package static let newDays: Float = 30
  /// The history count whose value is 1.
  package static let historyCountMax = 50

  /// What a row needs of the profile that it is for.
  package struct Profile: Sendable {
    /// Titles that speak for something in the history: those with a weight above zero.
    package var historyCount = 0
    package var genres = GenreShares()
    /// Who watched the same as the profile.
    package var neighbours = NeighbourSums()

    package init() {}

    /// Forgets everything, for another profile.
    package mutating func reset() {
      historyCount = 0
      genres.reset()
      neighbours.reset()
    }
  }

  /// The primitive facts about one candidate.
  package struct Inputs: Sendable {
    package var ordinal: UInt32 = 0
    /// Cosine of the title's vector and the profile's; 0 without a profile vector.
    package var similarity: Float = 0
    /// Cosine of the title's vector and that of the title last watched; 0 without one.
    package var similarityLast: Float = 0
    /// 0...1, as the catalogue's statistics give it.
    package var popularity: Float = 0
    /// Days from the release to the request; `nil` when the release is unknown. Before the release is negative.
    package var ageDays: Float?
    /// The title's genre set.
    package var genres: UInt64 = 0
    /// 0...1, as the catalogue's statistics give it.
    package var trending: Float = 0
    /// Started and neither completed nor left.
    package var isInProgress: Bool = false
    /// Whether any event of the profile's history is about it.
    package var isMet: Bool = false

    package init() {}

    @inline(__always)
    package init(
      ordinal: UInt32, similarity: Float, similarityLast: Float, popularity: Float, ageDays: Float?,
      genres: UInt64, trending: Float, isInProgress: Bool, isMet: Bool
    ) {
      self.ordinal = ordinal
      self.similarity = similarity
      self.similarityLast = similarityLast
      self.popularity = popularity
      self.ageDays = ageDays
      self.genres = genres
      self.trending = trending
      self.isInProgress = isInProgress
      self.isMet = isMet
    }
  }

  /// Writes a row of ``count`` floats for each candidate, row after row.
  package static func write(
    _ candidates: UnsafeBufferPointer<Inputs>, for profile: borrowing Profile,
    to rows: UnsafeMutableBufferPointer<Float>
  ) {
    precondition(rows.count >= candidates.count * count, "a candidate has \(count) features")
    guard let first = rows.baseAddress else { return }
    let history = historyValue(profile.historyCount)
    for (place, inputs) in candidates.enumerated() {
      write(
        inputs, history: history, genreAffinity: profile.genres.affinity(inputs.genres),
        coWatched: profile.neighbours.values(inputs.ordinal), to: first + place * count)
    }
  }

  @inline(__always)
  private static func write(
    _ inputs: Inputs, history: Float, genreAffinity: Float, coWatched: NeighbourSums.Values,
    to row: UnsafeMutablePointer<Float>
  ) {
    let similarity = bounded(inputs.similarity)
    row[0] = similarity
    row[1] = bounded(inputs.similarityLast)
    row[2] = bounded(inputs.popularity)
    row[3] = recency(ageDays: inputs.ageDays)
    row[4] = bounded(genreAffinity)
    row[5] = bounded(inputs.trending)
    row[6] = isNew(ageDays: inputs.ageDays) ? 1 : 0
    row[7] = history
    row[8] = inputs.isInProgress ? 1 : 0
    row[9] = similarity * history
    row[10] = saturated(coWatched.sum)
    row[11] = saturated(coWatched.recent)
    row[12] = bounded(coWatched.share)
    row[13] = inputs.isMet ? 1 : 0
  }

  /// One row as an array: for training, where there is time.
  package static func row(_ inputs: Inputs, for profile: borrowing Profile) -> [Float] {
    var row = [Float](repeating: 0, count: count)
    withUnsafePointer(to: inputs) { inputs in
      row.withUnsafeMutableBufferPointer {
        write(UnsafeBufferPointer(start: inputs, count: 1), for: profile, to: $0)
      }
    }
    return row
  }

  /// 1 at the release and before it, a half after the half-life; 0 when the release is unknown.
  package static func recency(ageDays: Float?, halfLifeDays: Float = recencyHalfLifeDays) -> Float {
    guard let ageDays, ageDays.isFinite else { return 0 }
    return exp2f(-max(0, ageDays) / halfLifeDays)
  }

  package static func isNew(ageDays: Float?) -> Bool {
    guard let ageDays else { return false }
    return ageDays >= 0 && ageDays <= newDays
  }

  private static func historyValue(_ historyCount: Int) -> Float {
    let capped = Float(min(max(historyCount, 0), historyCountMax))
    return log1pf(capped) / log1pf(Float(historyCountMax))
  }

  /// 0 to below 1 for sums that have no bound.
  private static func saturated(_ sum: Float) -> Float { sum > 0 && sum.isFinite ? sum / (1 + sum) : 0 }

  /// A peer's float may be anything: what is not finite is 0.
  private static func bounded(_ value: Float) -> Float { value.isFinite ? min(1, max(-1, value)) : 0 }
}

/// How weighted titles become a profile's vector: the sum of their vectors by weight, rejections counting less, at
/// unit length.
///
/// What is rejected is often like what is liked (one looks at one's own kind of films), so at full weight it would
/// take away the very direction that it stands in.
package enum ProfileVector {
  package static let rejectionShare: Float = 0.3

  /// The factor of a title's vector in the sum, from its weight.
  package static func factor(ofWeight weight: Float) -> Float {
    weight >= 0 ? weight : weight * rejectionShare
  }

  /// Brings the sum to unit length. False, and the sum of no use, when it has no direction or isn't finite.
  package static func normalise(_ sum: UnsafeMutableBufferPointer<Float>) -> Bool {
    var square: Float = 0
    for value in sum { square += value * value }
    guard square.isFinite, square > 1e-12 else { return false }
    let factor = 1 / square.squareRoot()
    for index in sum.indices { sum[index] *= factor }
    return true
  }
}

/// How a profile's watching is spread over genres: shares that sum to 1. Reused from request to request.
///
/// A genre set has a bit for each genre, as the catalogue numbers them.
package struct GenreShares: Sendable {
  package static let genreCountMax = 64

  private var weights = [Float](repeating: 0, count: genreCountMax)
  private var total: Float = 0

  package init() {}

  /// Forgets everything, for another profile.
  package mutating func reset() {
    total = 0
    for genre in weights.indices { weights[genre] = 0 }
  }

  /// One watched title: its weight is divided among its genres. Weights that aren't positive say nothing here.
  package mutating func add(genreSet: UInt64, weight: Float) {
    guard weight > 0, weight.isFinite, genreSet != 0 else { return }
    let share = weight / Float(genreSet.nonzeroBitCount)
    var bits = genreSet
    while bits != 0 {
      weights[bits.trailingZeroBitCount] += share
      bits &= bits - 1
    }
    total += weight
  }

  /// The part of the watching that was in one of these genres, 0...1; 0 without history.
  package func affinity(_ genreSet: UInt64) -> Float {
    guard total > 0 else { return 0 }
    var sum: Float = 0
    var bits = genreSet
    while bits != 0 {
      sum += weights[bits.trailingZeroBitCount]
      bits &= bits - 1
    }
    return min(1, sum / total)
  }
}
