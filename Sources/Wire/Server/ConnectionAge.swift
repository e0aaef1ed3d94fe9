internal import Base

/// When a connection has lasted long enough, or has been idle too long. A value of its connection.
///
/// Idleness is looked at four times in its limit, so that no call pays for it; a connection goes at most a quarter
/// later than the limit says.
struct ConnectionAge {
  private let ageDue: Instant
  private let idleMilliseconds: UInt64
  private let pauseMilliseconds: UInt64
  private var idleSince: Instant
  private var lookDue: Instant
  private var lastStream: Int32 = 0

  /// `jitter` is a factor about 1, so that connections which were made together don't all end together.
  init(_ limits: WireLimits, now: Instant, jitter: Double) {
    func spread(_ milliseconds: UInt64) -> UInt64 {
      milliseconds == .max ? .max : UInt64(Double(milliseconds) * min(max(jitter, 0.5), 2))
    }
    ageDue = now.advanced(byMilliseconds: spread(limits.connectionAgeMilliseconds))
    idleMilliseconds = spread(limits.connectionIdleMilliseconds)
    pauseMilliseconds = max(1, idleMilliseconds / 4)
    idleSince = now
    lookDue = now.advanced(byMilliseconds: pauseMilliseconds)
  }

  /// For a connection that isn't open yet.
  static var notBegun: ConnectionAge {
    var limits = WireLimits()
    limits.connectionAgeMilliseconds = .max
    limits.connectionIdleMilliseconds = .max
    return ConnectionAge(limits, now: Instant(nanoseconds: 0), jitter: 1)
  }

  var nextLook: Instant { min(ageDue, lookDue) }

  /// What the connection has reached, or when to look again. `lastStream` is the newest that it has taken.
  mutating func look(
    _ now: Instant, hasCalls: Bool, lastStream: Int32
  ) -> (due: ServerConnection.DrainCause?, next: Instant) {
    guard now < ageDue else { return (.age, .distantFuture) }
    guard lookDue <= now else { return (nil, nextLook) }
    if hasCalls || lastStream != self.lastStream {
      self.lastStream = lastStream
      idleSince = now
    }
    guard now < idleSince.advanced(byMilliseconds: idleMilliseconds) else { return (.idle, .distantFuture) }
    lookDue = now.advanced(byMilliseconds: pauseMilliseconds)
    return (nil, nextLook)
  }
}
