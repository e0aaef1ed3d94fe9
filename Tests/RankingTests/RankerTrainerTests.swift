import Base
import Testing

@testable import Ranking

@Suite("Ranker trainer")
struct RankerTrainerTests {
  /// Labels by a rule of the first two of five features: their sum, or whether they have the same sign.
  private func rows(_ count: Int, seed: UInt64, sameSign: Bool = false) -> TrainingRows {
    var random = SplitMix(seed: seed)
    var rows = TrainingRows(featureCount: 5)
    for row in 0..<count {
      // Of very different sizes: normalisation must even them out.
      let x = (0..<5).map { _ in Float.random(in: -1...1, using: &random) }
      let isPositive = sameSign ? x[0] * x[1] > 0 : x[0] + 2 * x[1] > 0.3
      rows.append(
        [x[0] * 1000 + 5000, x[1] * 0.01, x[2], x[3], 3], label: isPositive ? 1 : 0, group: row / 20)
    }
    return rows
  }

  private let names = ["a", "b", "c", "d", "constant"]

  @Test("logistic regression learns a linear rule")
  func linear() throws {
    let outcome = try RankerTrainer.train(
      rows(4000, seed: 1), validation: rows(1000, seed: 2), features: names,
      options: TrainingOptions(hiddenWidths: [], epochCountMax: 15, learningRate: 0.02))
    let best = outcome.epochs[outcome.bestEpoch - 1]
    #expect((best.validationAUC ?? 0) > 0.99)
    #expect((best.validationLoss ?? 1) < 0.2)
    #expect(outcome.parameters.scales[4] == 0, "a constant feature says nothing")
  }

  @Test("hidden layers learn what no linear rule can")
  func hidden() throws {
    let (train, validation) = (rows(6000, seed: 3, sameSign: true), rows(1000, seed: 4, sameSign: true))
    let run = { (widths: [Int]) throws -> (auc: Double, outcome: TrainingOutcome) in
      let outcome = try RankerTrainer.train(
        train, validation: validation, features: names,
        options: TrainingOptions(hiddenWidths: widths, epochCountMax: 12, learningRate: 0.01, patience: 12))
      return (outcome.epochs[outcome.bestEpoch - 1].validationAUC ?? 0, outcome)
    }
    #expect(try run([]).auc < 0.6)
    let deep = try run([16, 8])
    #expect(deep.auc > 0.97)
    let scores = RankerTrainer.scores(of: RankerModel(deep.outcome.parameters), validation)
    #expect(RankingMetrics.auc(scores: scores, labels: validation.labels) == deep.auc)
    let ndcg = RankingMetrics.ndcg(scores: scores, labels: validation.labels, groups: validation.groups)
    #expect((ndcg ?? 0) > 0.95)
  }

  @Test("the gradient of every weight is the slope of the loss")
  func gradient() throws {
    var random = SplitMix(seed: 5)
    var layer = DenseTraining(inputs: 3, outputs: 2, random: &random)
    let x: [Float] = [0.5, -1, 2, 1, 0.25, -0.5]
    // The loss is the sum of outputs times these.
    let slope: [Float] = [1, -2, 0.5, 3]
    let inputSlope = layer.backward(slope, x: x, rows: 2, wanted: true)
    for row in 0..<2 {
      for input in 0..<3 {
        let expected = (0..<2).reduce(Float(0)) { $0 + layer.weights[input * 2 + $1] * slope[row * 2 + $1] }
        #expect(abs(inputSlope[row * 3 + input] - expected) < 1e-5)
      }
    }
    // A first step of Adam moves each weight against the sign of its gradient, by the rate.
    let before = layer.weights
    var adam = AdamStep(rate: 0.01, decay: 0)
    adam.advance()
    layer.step(adam)
    for input in 0..<3 {
      for output in 0..<2 {
        let gradient = (0..<2).reduce(Float(0)) { $0 + x[$1 * 3 + input] * slope[$1 * 2 + output] }
        let moved = layer.weights[input * 2 + output] - before[input * 2 + output]
        #expect(abs(moved + (gradient > 0 ? 0.01 : -0.01)) < 1e-4)
      }
    }
  }

  @Test("the same seed trains the same ranker, another seed another")
  func deterministic() throws {
    let train = { (seed: UInt64) in
      try RankerTrainer.train(
        rows(600, seed: 6), features: names, options: TrainingOptions(epochCountMax: 2, seed: seed)
      ).parameters
    }
    #expect(try train(1) == train(1))
    #expect(try train(1) != train(2))
  }

  @Test("rows of weight zero teach nothing")
  func weights() throws {
    var mixed = TrainingRows(featureCount: 1)
    var random = SplitMix(seed: 7)
    for _ in 0..<4000 {
      let x = Float.random(in: -1...1, using: &random)
      mixed.append([x], label: x > 0 ? 1 : 0, weight: 1)
      mixed.append([x], label: x > 0 ? 0 : 1, weight: 0)
    }
    let outcome = try RankerTrainer.train(
      mixed, features: ["x"],
      options: TrainingOptions(hiddenWidths: [], epochCountMax: 10, learningRate: 0.01))
    var test = TrainingRows(featureCount: 1)
    for x in [Float(-0.5), 0.5] { test.append([x], label: 0) }
    let scores = RankerTrainer.scores(of: RankerModel(outcome.parameters), test)
    #expect(scores[0] < 0 && scores[1] > 0)
  }

  @Test("training ends when validation no longer gets better, and keeps the best")
  func patience() throws {
    // Labels by chance: there is nothing to learn, so validation soon gets worse.
    var random = SplitMix(seed: 8)
    let noise = { (count: Int) -> TrainingRows in
      var rows = TrainingRows(featureCount: 5)
      for _ in 0..<count {
        rows.append(
          (0..<5).map { _ in Float.random(in: -1...1, using: &random) },
          label: Bool.random(using: &random) ? 1 : 0)
      }
      return rows
    }
    let (train, validation) = (noise(300), noise(300))
    let outcome = try RankerTrainer.train(
      train, validation: validation, features: names,
      options: TrainingOptions(
        hiddenWidths: [64], epochCountMax: 200, batchCount: 32, learningRate: 0.02, patience: 4))
    #expect(outcome.epochs.count < 200 && outcome.epochs.count == outcome.bestEpoch + 4)
    let losses = outcome.epochs.compactMap(\.validationLoss)
    #expect(losses[outcome.bestEpoch - 1] == losses.min())
    let logits = RankerTrainer.scores(of: RankerModel(outcome.parameters), validation)
    let loss = RankingMetrics.logLoss(logits: logits, labels: validation.labels, weights: validation.weights)
    #expect(loss == losses.min())
  }

  @Test("missing values count as the mean")
  func missing() throws {
    var train = rows(500, seed: 9)
    train.append([.nan, .nan, .nan, .nan, .nan], label: 1)
    let outcome = try RankerTrainer.train(train, features: names, options: TrainingOptions(epochCountMax: 1))
    #expect(outcome.parameters.means.allSatisfy { $0.isFinite })
    #expect(outcome.epochs[0].trainLoss.isFinite)
  }

  @Test("rows that can't teach anything are refused with the reason")
  func refusals() throws {
    let expectFault = {
      (rows: TrainingRows, validation: TrainingRows?, names: [String], options: TrainingOptions, text: String)
      in
      do {
        _ = try RankerTrainer.train(rows, validation: validation, features: names, options: options)
        Issue.record("\(text) was taken")
      } catch let fault as Fault {
        #expect(fault.code == .invalidArgument && fault.message.contains(text))
      }
    }
    let good = rows(100, seed: 10)
    var oneLabel = TrainingRows(featureCount: 5)
    oneLabel.append([1, 2, 3, 4, 5], label: 1)
    let plain = TrainingOptions()
    try expectFault(good, nil, ["a"], plain, "are named")
    try expectFault(good, TrainingRows(featureCount: 2), names, plain, "are named")
    try expectFault(oneLabel, nil, names, plain, "both labels")
    try expectFault(good, TrainingRows(featureCount: 5), names, plain, "validation")
    try expectFault(good, nil, names, TrainingOptions(hiddenWidths: [1, 1, 1, 1, 1]), "hidden layers")
    try expectFault(good, nil, names, TrainingOptions(hiddenWidths: [0]), "hidden layers")
    try expectFault(good, nil, names, TrainingOptions(epochCountMax: 0), "above zero")
    try expectFault(good, nil, names, TrainingOptions(batchCount: 0), "above zero")
  }
}
