package import Base

/// Writes down what was refused, one line of JSON an event, and counts what would be too much; from any thread.
///
/// In a window of a minute a cause (the same refusal to the same caller) gets `linesPerCauseMax` lines, and all causes
/// together `linesMax`. What is left out is counted, and the count is a line of its own when the window ends. So a flood
/// writes at most `linesMax` + `causesMax` + 1 lines a minute, each of at most about 3 KiB.
package final class AuditLog: Sendable {
  package static let windowMilliseconds: UInt64 = 60_000
  static let causesMax = 256

  private struct State {
    var windowEnd: Instant?
    var lineCount = 0
    var causes: [AuditCause: Cause] = [:]
    /// Left out of causes that there was no place for.
    var othersLeftOut = 0
  }

  private struct Cause {
    var lineCount = 0
    var leftOut = 0
  }

  private let time: any TimeSource
  private let linesMax: Int
  private let linesPerCauseMax: Int
  private let sink: @Sendable ([UInt8]) -> Void
  private let state = Locked(State())

  /// `sink` gets whole lines, in order, on whatever thread refused something: it must not block.
  package init(
    time: any TimeSource, linesMax: Int = 600, linesPerCauseMax: Int = 10,
    sink: @escaping @Sendable ([UInt8]) -> Void
  ) {
    self.time = time
    self.linesMax = linesMax
    self.linesPerCauseMax = linesPerCauseMax
    self.sink = sink
  }

  package func record(_ event: AuditEvent) {
    let instant = time.instant
    state.withLock { state in
      endWindow(&state, at: instant)
      if state.windowEnd == nil {
        state.windowEnd = instant.advanced(byMilliseconds: Self.windowMilliseconds)
      }
      let key = event.cause
      guard var cause = state.causes[key] ?? (state.causes.count < Self.causesMax ? Cause() : nil) else {
        state.othersLeftOut += 1
        return
      }
      if cause.lineCount < linesPerCauseMax, state.lineCount < linesMax {
        cause.lineCount += 1
        state.lineCount += 1
        // Under the lock, so that lines are in the order of their times.
        sink(event.line(at: time.now))
      } else {
        cause.leftOut += 1
      }
      state.causes[key] = cause
    }
  }

  /// Says what was left out, once its minute is over. To be called every few seconds.
  package func tick() {
    let instant = time.instant
    state.withLock { endWindow(&$0, at: instant) }
  }

  /// Says it now: nothing more is coming.
  package func finish() {
    state.withLock { endWindow(&$0, at: .distantFuture) }
  }

  private func endWindow(_ state: inout State, at instant: Instant) {
    guard let end = state.windowEnd, end <= instant else { return }
    let now = time.now
    let leftOut = state.causes.filter { $0.value.leftOut > 0 }
      .sorted { ($0.value.leftOut, $0.key.who) > ($1.value.leftOut, $1.key.who) }
    for (cause, counts) in leftOut { sink(cause.line(at: now, count: counts.leftOut)) }
    if state.othersLeftOut > 0 {
      var line = JSONLine()
      line.append("time", now.text)
      line.append("event", "others")
      line.append("left_out", state.othersLeftOut)
      line.append("reason", "and \(state.othersLeftOut) more of other causes")
      sink(line.finish())
    }
    state = State()
  }
}
