import Testing

@testable import MarqueeClient

@Suite struct RetryBudgetTests {
  @Test("half of the bucket is there for retries, and successes fill it again")
  func tokens() {
    var throttle = ClientConfiguration.RetryThrottle()
    throttle.tokenCountMax = 10
    throttle.tokensPerSuccess = 0.5
    var budget = RetryBudget(throttle)
    for _ in 0..<4 { budget.failed() }
    #expect(budget.allowsRetry)
    budget.failed()
    #expect(!budget.allowsRetry)
    for _ in 0..<100 { budget.failed() }
    #expect(budget.tokens == 0)
    for _ in 0..<10 { budget.succeeded() }
    #expect(!budget.allowsRetry)
    budget.succeeded()
    #expect(budget.allowsRetry)
    for _ in 0..<100 { budget.succeeded() }
    #expect(budget.tokens == 10)
  }

  @Test("addresses are host and port, with brackets around IPv6")
  func addresses() {
    #expect(Address("h:1")?.host == "h")
    #expect(Address("[::1]:443")?.host == "::1")
    #expect(Address("[::1]:443")?.port == 443)
    for bad in ["", "h", "h:", ":1", "h:0", "h:65536", "h:-1", "::1:443", "a b:1", "[]:1"] {
      #expect(Address(bad) == nil, "\(bad)")
    }
  }
}
