import Testing

@testable import Ranking

@Suite("Baselines")
struct BaselinesTests {
  /// Two tastes, and title 4 that everybody wants.
  private let wanted: [[UInt32]] = [[0, 1, 4], [0, 1, 4], [1, 0], [2, 3, 4], [3, 2, 4], [2, 3]]

  @Test("popularity is the same for all, but for what they have seen")
  func popularity() {
    let baseline = PopularityBaseline(titleCount: 6, wanted: wanted)
    #expect(baseline.order == [4, 0, 1, 2, 3, 5])
    #expect(baseline.best(3) { $0 == 4 || $0 == 1 } == [0, 2, 3])
  }

  @Test("neighbours are those that share profiles, and what is popular fills the rest")
  func neighbours() {
    let baseline = ItemItemBaseline(titleCount: 6, wanted: wanted)
    #expect(baseline.best(2, for: [0]) { $0 == 0 } == [1, 4])
    #expect(baseline.best(2, for: [3]) { $0 == 3 } == [2, 4])
    #expect(baseline.best(5, for: [3]) { $0 == 3 } == [2, 4, 0, 1, 5])
    #expect(baseline.best(2, for: []) { _ in false } == [4, 0])
  }

  @Test("no profiles leave the order of the catalogue")
  func empty() {
    #expect(ItemItemBaseline(titleCount: 3, wanted: []).best(9, for: [1]) { $0 == 1 } == [0, 2])
  }
}
