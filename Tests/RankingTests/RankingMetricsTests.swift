import Testing

@testable import Ranking

@Suite("Ranking metrics")
struct RankingMetricsTests {
  @Test("AUC counts the pairs in order, ties half")
  func auc() {
    #expect(RankingMetrics.auc(scores: [1, 2, 3, 4], labels: [0, 0, 1, 1]) == 1)
    #expect(RankingMetrics.auc(scores: [4, 3, 2, 1], labels: [0, 0, 1, 1]) == 0)
    #expect(RankingMetrics.auc(scores: [5, 5, 5, 5], labels: [0, 1, 0, 1]) == 0.5)
    // Pairs: (3 > 1), (3 > 2), (2 > 1), (2 = 2).
    #expect(RankingMetrics.auc(scores: [1, 2, 2, 3], labels: [0, 0, 1, 1]) == 3.5 / 4)
    #expect(RankingMetrics.auc(scores: [1, 2], labels: [1, 1]) == nil)
    #expect(RankingMetrics.auc(scores: [], labels: []) == nil)
  }

  @Test("NDCG discounts by position, and leaves out groups without a gain")
  func ndcg() throws {
    let perfect = RankingMetrics.ndcg(scores: [3, 2, 1], labels: [1, 0, 0], groups: [1, 1, 1])
    #expect(perfect == 1)
    let second = try #require(RankingMetrics.ndcg(scores: [3, 2, 1], labels: [0, 1, 0], groups: [1, 1, 1]))
    #expect(abs(second - 1 / 1.584962500721156) < 1e-12)
    let two = try #require(
      RankingMetrics.ndcg(scores: [2, 1, 2, 1, 9], labels: [1, 0, 0, 1, 0], groups: [1, 1, 2, 2, 3]))
    #expect(abs(two - (1 + second) / 2) < 1e-12)
    #expect(RankingMetrics.ndcg(at: 1, scores: [2, 1], labels: [0, 1], groups: [1, 1]) == 0)
    #expect(RankingMetrics.ndcg(scores: [1], labels: [0], groups: [1]) == nil)
  }

  @Test("log loss is exact where a sigmoid would overflow")
  func logLoss() throws {
    let half = try #require(RankingMetrics.logLoss(logits: [0], labels: [1], weights: [2]))
    #expect(abs(half - 0.6931471805599453) < 1e-12)
    #expect(RankingMetrics.logLoss(logits: [1000, -1000], labels: [1, 0], weights: [1, 1]) == 0)
    #expect(RankingMetrics.logLoss(logits: [1000], labels: [0], weights: [1]) == 1000)
    let weighted = try #require(RankingMetrics.logLoss(logits: [0, 1000], labels: [1, 0], weights: [1, 0]))
    #expect(abs(weighted - half) < 1e-12)
    #expect(RankingMetrics.logLoss(logits: [0], labels: [1], weights: [0]) == nil)
  }
}
