import Glibc

/// What inputs cost, in processor time: a machine that is busy with something else is no finding.
enum FuzzTime {
  private static let limitMicroseconds = 1_000_000
  /// Guard for `nonisolated(unsafe)`: there is one thread.
  nonisolated(unsafe) private(set) static var slowestMicroseconds = 0

  static func measure(_ body: () -> Void) {
    let start = spentMicroseconds
    body()
    let spent = spentMicroseconds - start
    slowestMicroseconds = max(slowestMicroseconds, spent)
    if spent > limitMicroseconds { found("an input takes \(spent / 1000) ms of processor time") }
  }

  private static var spentMicroseconds: Int {
    var time = timespec()
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
    return time.tv_sec * 1_000_000 + time.tv_nsec / 1000
  }
}
