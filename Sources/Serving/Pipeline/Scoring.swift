internal import Base
internal import Catalogue
internal import Ranking
internal import Retrieval

/// The stage ranking: gives one request's candidates their scores, a block at a time, until the deadline.
///
/// A block is gathered column by column, each column in one pass: what lies far away is then waited for many titles at a
/// time and not for each.
struct Scoring {
  let generation: Generation
  let scorer: any Scorer
  let time: any TimeSource
  let scratch: RankScratch
  /// Days since 1970 of the request.
  let today: Float
  /// The profile's vector, and that of the title last watched; `nil` where there are none.
  let vector: UnsafeBufferPointer<Float>?
  let last: UnsafeBufferPointer<Float>?

  private var count: Int { scratch.candidates.count }

  /// Each candidate's nearness to the profile, exactly: what retrieval said of it may be rounded.
  func compare() {
    guard let vector else { return }
    scratch.candidates.setSimilarities { ordinals, similarities in
      generation.vectors.dots(ordinals, vector, into: similarities)
    }
  }

  /// Scores of two kinds have no common order, so it's all or none: false when the time was over before the end.
  func run(until deadline: Instant, isCancelled: () -> Bool) -> Bool {
    let width = CandidateFeatures.count
    // As many as the ranker scores at once between two looks at the clock: some 10 to 100 µs.
    let block = max(generation.ranker.blockCount, 1)
    for start in stride(from: 0, to: count, by: block) {
      guard time.instant <= deadline, !isCancelled() else { return false }
      let end = min(start + block, count)
      gather(start..<end)
      scorer.score(
        UnsafeBufferPointer(rebasing: scratch.rows[start * width..<end * width]), count: end - start,
        into: UnsafeMutableBufferPointer(rebasing: scratch.scores[start..<end]), in: generation,
        scratch: scratch.ranker)
    }
    guard time.instant <= deadline else { return false }
    finish()
    return true
  }

  private func gather(_ block: Range<Int>) {
    let width = CandidateFeatures.count
    scratch.candidates.ordinals.withUnsafeBufferPointer { ordinals in
      let ordinals = UnsafeBufferPointer(rebasing: ordinals[block])
      generation.catalogue.gather(
        ordinals, into: UnsafeMutableBufferPointer(rebasing: scratch.signals[block]))
      let nearness = UnsafeMutableBufferPointer(rebasing: scratch.lastSimilarities[block])
      if let last {
        generation.vectors.dots(ordinals, last, into: nearness)
      } else {
        nearness.update(repeating: 0)
      }
    }
    for index in block { scratch.inputs[index] = inputs(index) }
    CandidateFeatures.write(
      UnsafeBufferPointer(rebasing: scratch.inputs[block]), for: scratch.profile.ranked,
      to: UnsafeMutableBufferPointer(
        rebasing: scratch.rows[block.lowerBound * width..<block.upperBound * width]))
  }

  @inline(__always)
  private func inputs(_ index: Int) -> CandidateFeatures.Inputs {
    let ordinal = scratch.candidates.ordinals[index]
    let signals = scratch.signals[index]
    return CandidateFeatures.Inputs(
      ordinal: ordinal, similarity: scratch.candidates.similarities[index],
      similarityLast: scratch.lastSimilarities[index], popularity: signals.popularity,
      ageDays: signals.facts.releaseDay.map { today - Float($0) }, genres: signals.facts.genres,
      trending: signals.trending, isInProgress: scratch.profile.inProgress.contains(ordinal),
      isMet: scratch.profile.met.contains(ordinal))
  }

  /// Probabilities, and the policy's boost of what is new.
  private func finish() {
    let boost = generation.policy.recencyBoost
    let (weight, halfLifeDays) = (Float(boost.weight), Float(boost.halfLifeDays))
    for index in 0..<count {
      var score = RankerModel.probability(scratch.scores[index])
      if weight > 0 {
        score +=
          CandidateFeatures.recency(ageDays: scratch.inputs[index].ageDays, halfLifeDays: halfLifeDays)
          * weight
      }
      scratch.candidates.scores[index] = score.isFinite ? score : 0
    }
  }

  /// Similarity, or popularity for a profile without a vector.
  func orderByRetrieval() {
    for index in 0..<count {
      let score =
        vector != nil
        ? scratch.candidates.similarities[index]
        : generation.catalogue.popularity(scratch.candidates.ordinals[index])
      scratch.candidates.scores[index] = score.isFinite ? score : 0
    }
  }
}
