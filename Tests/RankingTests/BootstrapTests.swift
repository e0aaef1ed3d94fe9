import Base
import Testing

@testable import Ranking

@Suite("Bootstrap")
struct BootstrapTests {
  @Test("the mean is that of all requests, and the interval holds it")
  func mean() throws {
    let values = (0..<200).map { profile in (0...(profile % 3)).map { Double((profile * 7 + $0) % 10) } }
    let found = try #require(Bootstrap(values, seed: 1))
    let all = values.flatMap { $0 }
    #expect(abs(found.mean - all.reduce(0, +) / Double(all.count)) < 1e-12)
    #expect(found.low < found.mean && found.mean < found.high)
    // Of independent values of a deviation near 2.9 the interval is about 4 standard errors wide.
    #expect((0.3...1.4).contains(found.high - found.low))
  }

  @Test("requests of one profile are not as good as those of many")
  func clusters() throws {
    // The same 400 values: by 400 profiles, and by 20 of which each repeats its own.
    let many = (0..<400).map { [Double($0 % 20)] }
    let few = (0..<20).map { [Double](repeating: Double($0), count: 20) }
    let (wide, narrow) = (try #require(Bootstrap(few, seed: 2)), try #require(Bootstrap(many, seed: 2)))
    #expect(wide.mean == narrow.mean)
    #expect(wide.high - wide.low > 3 * (narrow.high - narrow.low))
  }

  @Test("the same seed draws the same interval, and no requests have none")
  func seeds() {
    let values = (0..<50).map { [Double($0)] }
    #expect(Bootstrap(values, seed: 3) == Bootstrap(values, seed: 3))
    #expect(Bootstrap(values, seed: 3)?.low != Bootstrap(values, seed: 4)?.low)
    #expect(Bootstrap([[], []], seed: 1) == nil)
  }

  @Test("values that are all alike have an interval of no width")
  func constant() throws {
    let found = try #require(Bootstrap([[1, 1], [1]], seed: 1))
    #expect(found.low == 1 && found.mean == 1 && found.high == 1)
  }
}
