/// Time that moves only when it is told to: for tests and the simulator.
package final class ManualTime: TimeSource {
  private struct State {
    var now: Timestamp
    var instant: Instant
  }

  private let state: Locked<State>

  package init(now: Timestamp, instant: Instant = Instant(nanoseconds: 1_000_000_000)) {
    state = Locked(State(now: now, instant: instant))
  }

  package var now: Timestamp { state.withLock { $0.now } }
  package var instant: Instant { state.withLock { $0.instant } }

  package func advance(milliseconds: Int64) {
    precondition(milliseconds >= 0, "time does not run backwards here")
    state.withLock {
      $0.now.milliseconds += milliseconds
      $0.instant = $0.instant.advanced(byMilliseconds: UInt64(milliseconds))
    }
  }
}
