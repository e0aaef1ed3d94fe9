package import Base
internal import Synchronization

/// What is known of the recall of one generation's searches. Lives in the generation.
///
/// What ranking threads count is atomic: a lock that a thread of the lowest priority may hold is none that they wait for.
package final class RecallTally: Sendable {
  private struct Sums {
    var count: UInt64 = 0
    var recall = 0.0
    var squares = 0.0
  }

  private let sums = Mutex(Sums())
  private let partialCount = Atomic<UInt64>(0)
  private let droppedCount = Atomic<UInt64>(0)
  /// What was measured at build.
  private let target: Float

  init(target: Float) { self.target = target }

  func addPartial() { partialCount.wrappingAdd(1, ordering: .relaxed) }
  func addDropped() { droppedCount.wrappingAdd(1, ordering: .relaxed) }

  /// - Parameter recall: of one search, 0 to 1.
  func add(_ recall: Double) {
    sums.withLock {
      $0.count += 1
      $0.recall += recall
      $0.squares += recall * recall
    }
  }

  package var report: RetrievalRecall {
    let sums = sums.withLock { $0 }
    var report = RetrievalRecall(
      sampleCount: sums.count, target: target, partialCount: partialCount.load(ordering: .relaxed),
      droppedCount: droppedCount.load(ordering: .relaxed))
    guard sums.count > 0 else { return report }
    let count = Double(sums.count)
    let mean = sums.recall / count
    report.mean = Float(mean)
    guard sums.count > 1 else { return report }
    let variance = max(0, (sums.squares - count * mean * mean) / (count - 1))
    let margin = 1.96 * (variance / count).squareRoot()
    report.low = Float(max(0, mean - margin))
    report.high = Float(min(1, mean + margin))
    return report
  }
}
