internal import Base

/// How much of the pool's time shortened answers may take: a share of it, and a burst.
///
/// A shortened answer is better than none while load is a little too high. Far beyond that, making them would take
/// the time of the answers that are whole: 20 times the capacity at a twentieth of the cost is all of it.
struct ShortAnswerBudget {
  /// A tenth of the time: three times the capacity leaves four fifths of it to whole answers, the reading and
  /// writing of the rest included.
  static let share: UInt64 = 10
  /// A twentieth of a second of work from a standing start, so that a burst after calm is answered.
  private let burstNanoseconds: Int64
  private let threadCount: UInt64
  private var credit: Int64
  private var filled: Instant?
  /// What a request costs outside of the pool: reading, encoding and sealing its answer, on the loop's thread. More
  /// than the pool's part of a short one, and the same processor's time on a small machine.
  private static let passageNanoseconds: UInt64 = 80_000
  /// A moving mean of what one takes in the pool; 20 µs until it is known.
  private var meanNanoseconds: UInt64 = 20_000

  init(threadCount: Int) {
    self.threadCount = UInt64(threadCount)
    burstNanoseconds = 50_000_000 * Int64(threadCount)
    credit = burstNanoseconds
  }

  /// Whether one more fits; then it is counted.
  mutating func take(_ now: Instant) -> Bool {
    fill(now)
    guard credit >= cost else { return false }
    credit -= cost
    return true
  }

  /// Counts one that can't be refused any more.
  mutating func overdraw(_ now: Instant) {
    fill(now)
    credit = max(credit - cost, -burstNanoseconds)
  }

  private var cost: Int64 { Int64(meanNanoseconds + Self.passageNanoseconds) }

  mutating func learn(_ nanoseconds: UInt64) {
    meanNanoseconds = (meanNanoseconds &* 7 &+ min(nanoseconds, 50_000_000)) / 8
  }

  private mutating func fill(_ now: Instant) {
    let elapsed = filled.map { now.nanoseconds(since: $0) } ?? 0
    filled = now
    let added = min(elapsed, 1 << 40) &* threadCount / Self.share
    credit = min(credit + Int64(added), burstNanoseconds)
  }
}
