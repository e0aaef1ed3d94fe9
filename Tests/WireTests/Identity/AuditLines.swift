import Base

@testable import Wire

/// What an audit log wrote, for a test to look at.
final class AuditLines: Sendable {
  private let state = Locked<[String]>([])

  var all: [String] { state.withLock { $0 } }

  func log(time: any TimeSource = SystemTime(), linesMax: Int = 600, linesPerCauseMax: Int = 10) -> AuditLog {
    AuditLog(time: time, linesMax: linesMax, linesPerCauseMax: linesPerCauseMax) { line in
      self.state.withLock { $0.append(String(decoding: line, as: UTF8.self)) }
    }
  }

  func has(_ parts: String...) -> Bool {
    all.contains { line in parts.allSatisfy { line.contains($0) } }
  }
}
