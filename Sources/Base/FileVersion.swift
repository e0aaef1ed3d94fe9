#if canImport(Glibc)
  package import Glibc
#else
  package import Darwin
#endif

/// A file and its state: whoever writes to it, or puts another in its place, changes this, as far as a local file system
/// tells. What a disk loses without a write it doesn't tell.
package struct FileVersion: Hashable, Sendable {
  private let device: UInt64
  private let number: UInt64
  private let byteCount: Int64
  private let modified: Int64
  private let changed: Int64

  /// `nil` for a file that was written so lately that another write might fall into the same tick of the file system's
  /// clock, and not show. One whose times are whole seconds ticks once a second, or in two.
  package init?(_ status: stat, now: Int64) {
    #if canImport(Glibc)
      (modified, changed) = (nanoseconds(status.st_mtim), nanoseconds(status.st_ctim))
    #else
      (modified, changed) = (nanoseconds(status.st_mtimespec), nanoseconds(status.st_ctimespec))
    #endif
    device = UInt64(truncatingIfNeeded: status.st_dev)
    number = UInt64(truncatingIfNeeded: status.st_ino)
    byteCount = Int64(status.st_size)
    let tick: Int64 = modified % 1_000_000_000 == 0 ? 2_100_000_000 : 100_000_000
    guard modified < now - tick else { return nil }
  }

  /// The system's clock, which is the file system's, in nanoseconds.
  package static var now: Int64 {
    var now = timespec()
    return clock_gettime(CLOCK_REALTIME, &now) == 0 ? nanoseconds(now) : 0
  }
}

private func nanoseconds(_ time: timespec) -> Int64 {
  Int64(time.tv_sec) &* 1_000_000_000 &+ Int64(time.tv_nsec)
}
