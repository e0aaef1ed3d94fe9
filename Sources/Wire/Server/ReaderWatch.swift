internal import Base

/// Whether a connection's replies are taken while many of them wait. It costs one look at the clock for each interval
/// in which there are so many, and a comparison for each reply.
struct ReaderWatch {
  /// Bytes of DATA that have to leave in each interval: nobody who reads at all is as slow.
  private static let step = 16 << 10

  /// Fewer waiting bytes are nothing to look after.
  let bytesMax: Int
  private let interval: UInt64
  private var stall: StallWatch
  private(set) var isWatching = false
  /// Bytes that had left when it was last found that none did.
  private var stalledAt: Int?

  init(_ limits: WireLimits) {
    bytesMax = limits.slowReaderBytesMax
    interval = limits.strainedReadMilliseconds
    stall = StallWatch(interval, step: Self.step)
  }

  /// `sent` is all DATA that has left. When to look.
  mutating func begin(_ now: Instant, sent: Int) -> Instant {
    isWatching = true
    return stall.look(now, isOwed: true, total: sent) ?? now
  }

  /// `waiting` bytes of unary replies have not left. When to look again; `nil`: they stand still.
  mutating func look(_ now: Instant, waiting: Int, sent: Int) -> Instant? {
    isWatching = waiting > bytesMax
    guard let next = stall.look(now, isOwed: isWatching, total: sent) else {
      stalledAt = sent
      return nil
    }
    return next
  }

  func nextLook(_ now: Instant) -> Instant { now.advanced(byMilliseconds: interval) }

  /// Stays so after the replies were given up, until the peer takes some.
  func hasStalled(sent: Int) -> Bool {
    guard let stalledAt else { return false }
    return sent < stalledAt + Self.step
  }
}
