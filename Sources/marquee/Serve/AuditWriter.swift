import Base
import Foundation
import Synchronization
import Wire

/// Writes the audit log to a file or to standard error, on a queue of its own: a disk that is slow or full, or a pipe
/// that nobody reads, holds nobody up who serves.
///
/// A file that has reached `bytesMax` becomes `FILE.1`, in the place of the one before. The mutex guards the count of
/// lines that wait; everything else is touched on the queue.
final class AuditWriter: @unchecked Sendable {
  static let waitingMax = 1024

  private let path: String?
  private let bytesMax: Int
  private let queue = DispatchQueue(label: "marquee.audit")
  private let waiting = Mutex(0)
  private let dropped = Atomic<Int>(0)
  private var descriptor: Int32
  private var byteCount: Int

  /// Without a path: standard error. Throws when the file can't be opened.
  init(path: String?, bytesMax: Int = 64 << 20) throws(Fault) {
    self.path = path
    self.bytesMax = bytesMax
    guard let path else {
      descriptor = STDERR_FILENO
      byteCount = 0
      return
    }
    (descriptor, byteCount) = try Self.open(path)
  }

  var auditLog: AuditLog { AuditLog(time: SystemTime()) { [self] line in write(line) } }

  /// Never waits: beyond what may wait, lines are lost, and that is said.
  private func write(_ line: [UInt8]) {
    let isTaken = waiting.withLock { count in
      guard count < Self.waitingMax else { return false }
      count += 1
      return true
    }
    guard isTaken else {
      dropped.add(1, ordering: .relaxed)
      return
    }
    queue.async { [self] in
      waiting.withLock { $0 -= 1 }
      append(line)
    }
  }

  private func append(_ line: [UInt8]) {
    if let path, byteCount + line.count > bytesMax { turn(path) }
    guard descriptor >= 0, Foundation.write(descriptor, line, line.count) == line.count else {
      dropped.add(1, ordering: .relaxed)
      return
    }
    byteCount += line.count
    let lost = dropped.exchange(0, ordering: .relaxed)
    if lost > 0 { log("\(lost) lines of the audit log were lost: they could not be written in time") }
  }

  private func turn(_ path: String) {
    if descriptor >= 0 { Foundation.close(descriptor) }
    descriptor = -1
    guard rename(path, path + ".1") == 0, let opened = try? Self.open(path) else { return }
    (descriptor, byteCount) = opened
  }

  private static func open(_ path: String) throws(Fault) -> (Int32, Int) {
    let descriptor = Foundation.open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o600)
    var status = stat()
    guard descriptor >= 0, fstat(descriptor, &status) == 0 else {
      throw Fault(.failedPrecondition, "can't write the audit log \(path): \(errnoText())")
    }
    return (descriptor, Int(status.st_size))
  }

  /// Waits a moment for what was written down to be out.
  func close() {
    let done = DispatchSemaphore(value: 0)
    queue.async { done.signal() }
    _ = done.wait(timeout: .now() + 1)
  }
}
