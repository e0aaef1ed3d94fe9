internal import Base

/// How often a client may ask by PING whether we are there, as gRPC's servers have it: too early is a strike, and what
/// we send it takes the strikes back.
struct PingStrikes {
  private let withCalls: UInt64
  private let withoutCalls: UInt64
  private let strikesMax: Int
  private var last: Instant?
  private var strikes = 0
  private var sent: UInt64 = 0

  init(_ limits: WireLimits) {
    withCalls = limits.pingIntervalMilliseconds
    withoutCalls = limits.pingIntervalIdleMilliseconds
    strikesMax = limits.pingStrikesMax
  }

  /// A PING came; `sent` counts the HEADERS and DATA frames that we have sent so far. False: one strike too many.
  mutating func pinged(_ now: Instant, hasCalls: Bool, sent: UInt64) -> Bool {
    if sent != self.sent {
      self.sent = sent
      last = nil
      strikes = 0
    }
    defer { last = now }
    guard let last, now < last.advanced(byMilliseconds: hasCalls ? withCalls : withoutCalls) else {
      return true
    }
    strikes += 1
    return strikes <= strikesMax
  }
}
