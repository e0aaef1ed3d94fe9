import Foundation
import Synchronization

/// Shows long work on standard error: one line that is rewritten on a terminal, a line every few seconds elsewhere.
///
/// Called from any thread; the mutex guards the time of the last line.
final class Progress: Sendable {
  private struct State {
    var stage = ""
    var last = 0.0
  }

  private let state = Mutex(State())
  private let isTerminal = isatty(2) == 1
  private let start = ProcessInfo.processInfo.systemUptime

  /// `fraction` is 0 to 1, or `nil` where nobody knows.
  func show(_ stage: String, fraction: Double?) {
    let now = ProcessInfo.processInfo.systemUptime
    let isNew = state.withLock { state -> Bool? in
      let isNew = state.stage != stage
      guard isNew || now - state.last > (isTerminal ? 0.1 : 5) || fraction == 1 else { return nil }
      state.stage = stage
      state.last = now
      return isNew
    }
    guard let isNew else { return }
    let percent = fraction.map { String(format: " %3.0f %%", min(max($0, 0), 1) * 100) } ?? ""
    let line = String(format: "%6.1f s  ", now - start) + stage + percent
    let text = isTerminal ? (isNew ? "\n\r" : "\r") + line : line + "\n"
    try? FileHandle.standardError.write(contentsOf: Data(text.utf8))
  }

  func end() {
    if isTerminal { try? FileHandle.standardError.write(contentsOf: Data("\n".utf8)) }
  }
}
