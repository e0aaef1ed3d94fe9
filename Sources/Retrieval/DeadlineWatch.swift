internal import Base

/// Looks at the clock when enough has been read since the last time.
struct DeadlineWatch {
  private let deadline: Instant
  private let time: any TimeSource
  private var bytesSinceLook = 0
  private var hasLooked = false
  /// The deadline has come.
  private(set) var isLate = false

  /// Bytes between two looks at the clock: 5 to 20 µs of work where memory is slow.
  static let bytesBetweenLooks = 64 << 10

  init(deadline: Instant, time: any TimeSource) {
    self.deadline = deadline
    self.time = time
  }

  /// Whether the deadline has come. The first call always looks.
  mutating func look() -> Bool {
    if isLate { return true }
    guard !hasLooked || bytesSinceLook >= Self.bytesBetweenLooks else { return false }
    hasLooked = true
    bytesSinceLook = 0
    isLate = time.instant >= deadline
    return isLate
  }

  mutating func count(bytes: Int) { bytesSinceLook += bytes }
}
