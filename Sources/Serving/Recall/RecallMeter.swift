internal import Base
internal import Retrieval

/// Compares samples with the exact answer, one after the other, on one thread.
final class RecallMeter {
  private let monitor: RecallMonitor
  private let time: any TimeSource
  private let scratch = SearchScratch()

  init(_ monitor: RecallMonitor, time: any TimeSource) {
    self.monitor = monitor
    self.time = time
  }

  /// Measures the sample that has waited longest; `false` when there is none. The generation is held for that long, so a
  /// cutover meanwhile does no harm; samples of one that has gone go, too.
  @discardableResult
  func measureNext() -> Bool {
    guard let sample = monitor.next() else { return false }
    guard let generation = sample.generation else { return true }
    let outcome = sample.allowed.withUnsafeBufferPointer { words in
      sample.query.withUnsafeBufferPointer { query in
        guard let start = words.baseAddress else { return SearchOutcome() }
        let filter = OrdinalFilter(
          words: start, bitCount: sample.allowedBitCount, allowedCount: sample.allowedCount)
        return generation.index.searchExactly(
          query, k: sample.k, allowed: filter, time: time, scratch: scratch)
      }
    }
    // Where nothing may be found nothing is missed, and nothing learnt.
    guard outcome.count > 0 else { return true }
    let found = Set(sample.found)
    var hitCount = 0
    for ordinal in scratch.ordinals.prefix(outcome.count) where found.contains(ordinal) { hitCount += 1 }
    generation.recall.add(Double(hitCount) / Double(outcome.count))
    return true
  }
}
