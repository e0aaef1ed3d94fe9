internal import Base

/// Looks at the clock when enough has been done since the last time.
struct SearchClock {
  let deadline: Instant
  let time: any TimeSource
  private var bytesSinceLook = Int.max

  /// Bytes of rows or codes between two looks: 10 to 20 µs of work where memory is slow.
  private static var bytesBetweenLooks: Int { 128 << 10 }

  init(deadline: Instant, time: any TimeSource) {
    self.deadline = deadline
    self.time = time
  }

  mutating func count(bytes: Int) { bytesSinceLook += bytes }

  /// The first time it always looks.
  mutating func isLate() -> Bool {
    guard bytesSinceLook >= Self.bytesBetweenLooks else { return false }
    bytesSinceLook = 0
    return time.instant >= deadline
  }
}
