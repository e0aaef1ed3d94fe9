internal import Base

/// Whether a peer is still there: asked by a PING once it has been silent, given up when it stays so.
struct PeerSilence {
  private let interval: UInt64
  private let patience: UInt64
  private var hasHeard = false
  private var lookDue = Instant.distantFuture
  private var answerDue = Instant.distantFuture

  init(_ limits: WireLimits) {
    interval = limits.keepaliveMilliseconds
    patience = limits.keepaliveAnswerMilliseconds
  }

  mutating func heard() { hasHeard = true }

  /// The peer has sent SETTINGS, not always its first. Returns when to look.
  mutating func begin(_ now: Instant) -> Instant {
    if lookDue == .distantFuture { lookDue = now.advanced(byMilliseconds: interval) }
    return lookDue
  }

  /// When to look again (`nil`: the peer is gone), and whether to send a PING now.
  mutating func look(_ now: Instant) -> (next: Instant?, asks: Bool) {
    if hasHeard { answerDue = .distantFuture }
    guard now < answerDue else { return (nil, false) }
    guard lookDue <= now else { return (min(lookDue, answerDue), false) }
    let asks = !hasHeard && answerDue == .distantFuture
    if asks { answerDue = now.advanced(byMilliseconds: patience) }
    hasHeard = false
    lookDue = now.advanced(byMilliseconds: interval)
    return (min(lookDue, answerDue), asks)
  }
}
