#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// How good scores are against labels.
package enum RankingMetrics {
  /// Area under the ROC curve: how often a positive scores above a negative, ties counting half. `nil` when there is
  /// only one class. Labels above 0.5 are positive.
  package static func auc(scores: [Float], labels: [Float]) -> Double? {
    precondition(scores.count == labels.count, "a label for each score")
    let order = scores.indices.sorted { scores[$0] < scores[$1] }
    var rankSum = 0.0
    var positives = 0
    var begin = 0
    while begin < order.count {
      var end = begin + 1
      while end < order.count && scores[order[end]] == scores[order[begin]] { end += 1 }
      // Equal scores share the mean of their ranks, which start at 1.
      let rank = Double(begin + end + 1) / 2
      for place in begin..<end where labels[order[place]] > 0.5 {
        rankSum += rank
        positives += 1
      }
      begin = end
    }
    let negatives = scores.count - positives
    guard positives > 0, negatives > 0 else { return nil }
    let least = Double(positives) * Double(positives + 1) / 2
    return (rankSum - least) / (Double(positives) * Double(negatives))
  }

  /// Normalised discounted cumulative gain at `depth` (Järvelin and Kekäläinen 2002, with gains of 2^label - 1), mean
  /// over the groups that have a label above 0; `nil` when none has.
  ///
  /// Rows of a group stand together: equal numbers in `groups`, one for each row.
  package static func ndcg(at depth: Int = 10, scores: [Float], labels: [Float], groups: [Int]) -> Double? {
    precondition(
      scores.count == labels.count && groups.count == scores.count, "a label and a group for each score")
    var sum = 0.0
    var counted = 0
    var begin = 0
    while begin < groups.count {
      var end = begin + 1
      while end < groups.count && groups[end] == groups[begin] { end += 1 }
      // Ties go to the row that stands first, so that the measure is one number.
      let ranked = (begin..<end).sorted { (scores[$0], -$0) > (scores[$1], -$1) }
      let best = gain(labels[begin..<end].sorted(by: >).prefix(depth))
      if best > 0 {
        sum += gain(ranked.prefix(depth).map { labels[$0] }) / best
        counted += 1
      }
      begin = end
    }
    return counted > 0 ? sum / Double(counted) : nil
  }

  /// Mean log loss of logits, in nats, by weight. `nil` when the weights are zero.
  package static func logLoss(logits: [Float], labels: [Float], weights: [Float]) -> Double? {
    precondition(
      logits.count == labels.count && weights.count == labels.count, "a label and a weight for each")
    var loss = 0.0
    var total = 0.0
    for index in logits.indices {
      let logit = Double(logits[index])
      // log(1 + e^x) - y x, without overflow on either side.
      let value = max(logit, 0) + log1p(exp(-abs(logit))) - Double(labels[index]) * logit
      loss += Double(weights[index]) * value
      total += Double(weights[index])
    }
    return total > 0 ? loss / total : nil
  }

  private static func gain(_ labels: some Sequence<Float>) -> Double {
    labels.enumerated().reduce(0) { $0 + (exp2(Double($1.element)) - 1) / log2(Double($1.offset) + 2) }
  }
}

func sigmoid(_ logit: Float) -> Float { 1 / (1 + expf(-logit)) }
