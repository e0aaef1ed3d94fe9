/// How many tries may still be repeated; see ``ClientConfiguration/RetryThrottle``.
struct RetryBudget: Sendable {
  private let throttle: ClientConfiguration.RetryThrottle
  private(set) var tokens: Double

  init(_ throttle: ClientConfiguration.RetryThrottle) {
    self.throttle = throttle
    tokens = throttle.tokenCountMax
  }

  var allowsRetry: Bool { tokens > throttle.tokenCountMax / 2 }

  mutating func failed() { tokens = max(0, tokens - 1) }

  mutating func succeeded() { tokens = min(throttle.tokenCountMax, tokens + throttle.tokensPerSuccess) }
}
