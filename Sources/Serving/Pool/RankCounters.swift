package import Base
internal import Synchronization

/// What the ranking path did since the start, for `/metrics` and `status`. Shared by all threads; one short lock a
/// request.
package final class RankCounters: Sendable {
  package enum Outcome: Int, Sendable, CaseIterable {
    case answered
    /// A fault was returned.
    case failed
    case droppedExpired
    case droppedCancelled
    case refusedQueueFull
    /// Shortened answers would have taken the time of whole ones.
    case refusedOverload
    /// The region is drained.
    case refusedDrained
  }

  package struct Counts: Sendable {
    package fileprivate(set) var outcomes = [UInt64](repeating: 0, count: Outcome.allCases.count)
    package fileprivate(set) var rungs = [UInt64](repeating: 0, count: Rung.allCases.count + 1)
    package fileprivate(set) var stageMicroseconds = [UInt64](repeating: 0, count: Stage.allCases.count + 1)

    package func count(of outcome: Outcome) -> UInt64 { outcomes[outcome.rawValue] }
    package func count(of rung: Rung) -> UInt64 { rungs[rung.rawValue] }
    /// The sum over all answered requests.
    package func microseconds(in stage: Stage) -> UInt64 { stageMicroseconds[stage.rawValue] }
  }

  private let counts = Mutex(Counts())

  package init() {}

  package var now: Counts { counts.withLock { $0 } }

  package func add(_ outcome: Outcome) { counts.withLock { $0.outcomes[outcome.rawValue] += 1 } }

  func addAnswer(rungs: [Rung], stages: [RankReply.StageTime]) {
    counts.withLock { counts in
      counts.outcomes[Outcome.answered.rawValue] += 1
      for rung in rungs { counts.rungs[rung.rawValue] += 1 }
      for time in stages { counts.stageMicroseconds[time.stage.rawValue] += UInt64(time.microseconds) }
    }
  }
}
