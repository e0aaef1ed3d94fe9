import Base

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Owns the lock on a directory: one open file that the system unlocks when the process ends, however it ends.
final class DirectoryLock: Sendable {
  private let descriptor: Int32

  /// Throws `failedPrecondition` when somebody else holds it, in this process or another.
  init(_ directory: String) throws(Fault) {
    let path = directory + "/lock"
    descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o644)
    guard descriptor >= 0 else { throw Fault(.unavailable, "can't open \(path): \(errnoText())") }
    guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
      let text = errno == EWOULDBLOCK ? "another writer has it open; stop that one first" : errnoText()
      close(descriptor)
      throw Fault(.failedPrecondition, "can't lock the event log in \(directory): \(text)")
    }
  }

  deinit { close(descriptor) }
}
