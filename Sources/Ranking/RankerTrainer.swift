internal import Base
internal import CKernels

/// How a ranker is trained.
package struct TrainingOptions: Sendable {
  /// Outputs of the hidden layers; none is logistic regression.
  package var hiddenWidths: [Int]
  package var epochCountMax: Int
  package var batchCount: Int
  package var learningRate: Float
  /// Decoupled weight decay.
  package var weightDecay: Float
  /// Epochs without a better validation loss before training ends.
  package var patience: Int
  package var seed: UInt64

  package init(
    hiddenWidths: [Int] = [32, 16], epochCountMax: Int = 20, batchCount: Int = 256,
    learningRate: Float = 1e-3,
    weightDecay: Float = 1e-4, patience: Int = 3, seed: UInt64 = 1
  ) {
    self.hiddenWidths = hiddenWidths
    self.epochCountMax = epochCountMax
    self.batchCount = batchCount
    self.learningRate = learningRate
    self.weightDecay = weightDecay
    self.patience = patience
    self.seed = seed
  }
}

/// What one pass over the rows came to.
package struct TrainingEpoch: Sendable, Equatable {
  package var number: Int
  /// Log losses in nats; the validation's are `nil` without validation rows.
  package var trainLoss: Double
  package var validationLoss: Double?
  package var validationAUC: Double?
}

package struct TrainingOutcome: Sendable {
  /// Those of the epoch with the least validation loss, or of the last one without validation.
  package var parameters: RankerParameters
  package var epochs: [TrainingEpoch]
  package var bestEpoch: Int
}

/// Trains a ranker by mini-batches on weighted log loss. The same rows, options and machine give the same ranker.
package enum RankerTrainer {
  /// - Parameters:
  ///   - features: a name for each feature of `rows`.
  ///   - validation: rows that are not trained on; later ones in time, if time matters.
  ///   - progress: called after each epoch.
  ///
  /// Throws a ``Base/Fault`` with `invalidArgument` when the rows can't teach anything.
  package static func train(
    _ rows: TrainingRows, validation: TrainingRows? = nil, features: [String],
    options: TrainingOptions = TrainingOptions(), progress: (TrainingEpoch) -> Void = { _ in }
  ) throws -> TrainingOutcome {
    try check(rows, validation: validation, features: features, options: options)
    var random = SplitMix(seed: options.seed)
    var training = Training(rows, features: features, options: options, random: &random)
    var epochs: [TrainingEpoch] = []
    var best: (epoch: Int, loss: Double, parameters: RankerParameters)?
    for number in 1...options.epochCountMax {
      var epoch = TrainingEpoch(number: number, trainLoss: training.pass(rows, random: &random))
      let parameters = training.parameters
      if let validation {
        let logits = scores(of: RankerModel(parameters), validation)
        epoch.validationLoss = RankingMetrics.logLoss(
          logits: logits, labels: validation.labels, weights: validation.weights)
        epoch.validationAUC = RankingMetrics.auc(scores: logits, labels: validation.labels)
      }
      epochs.append(epoch)
      progress(epoch)
      let loss = epoch.validationLoss ?? -Double(number)
      guard loss.isFinite else { throw Fault(.invalidArgument, "training diverged: lower the learning rate") }
      if best.map({ loss < $0.loss }) ?? true { best = (number, loss, parameters) }
      if let best, number - best.epoch >= options.patience { break }
    }
    guard let best else { preconditionFailure("there is at least one epoch") }
    return TrainingOutcome(parameters: best.parameters, epochs: epochs, bestEpoch: best.epoch)
  }

  /// The logit of each row.
  package static func scores(of model: RankerModel, _ rows: TrainingRows) -> [Float] {
    let scratch = RankerScratch()
    return [Float](unsafeUninitializedCapacity: rows.count) { scores, count in
      rows.values.withUnsafeBufferPointer {
        model.score($0, count: rows.count, into: scores, scratch: scratch)
      }
      count = rows.count
    }
  }

  private static func check(
    _ rows: TrainingRows, validation: TrainingRows?, features: [String], options: TrainingOptions
  ) throws {
    guard rows.featureCount == features.count, validation?.featureCount ?? features.count == features.count
    else {
      throw Fault(
        .invalidArgument, "rows have \(rows.featureCount) features, and \(features.count) are named")
    }
    guard zip(rows.labels, rows.weights).contains(where: { $0 > 0.5 && $1 > 0 }),
      zip(rows.labels, rows.weights).contains(where: { $0 <= 0.5 && $1 > 0 })
    else { throw Fault(.invalidArgument, "training needs rows of both labels with a weight above zero") }
    if let validation, !validation.weights.contains(where: { $0 > 0 }) {
      throw Fault(.invalidArgument, "validation needs rows with a weight above zero")
    }
    guard options.hiddenWidths.count < RankerModel.layerCountMax,
      options.hiddenWidths.allSatisfy({ (1...RankerModel.widthMax).contains($0) }),
      features.count <= RankerModel.featureCountMax
    else { throw Fault(.invalidArgument, "a ranker has at most 4 hidden layers of at most 4096 outputs") }
    guard options.epochCountMax > 0, options.batchCount > 0, options.patience > 0, options.learningRate > 0
    else {
      throw Fault(.invalidArgument, "epochs, batch, patience and learning rate are above zero")
    }
  }
}

/// The state of one training run.
private struct Training {
  private let features: [String]
  private let means: [Float]
  private let scales: [Float]
  private let batchCount: Int
  private var layers: [DenseTraining]
  private var adam: AdamStep
  private var order: [Int]

  init(_ rows: TrainingRows, features: [String], options: TrainingOptions, random: inout SplitMix) {
    self.features = features
    (means, scales) = rows.normalisation()
    batchCount = options.batchCount
    let sizes = [features.count] + options.hiddenWidths + [1]
    layers = zip(sizes, sizes.dropFirst()).map { DenseTraining(inputs: $0, outputs: $1, random: &random) }
    adam = AdamStep(rate: options.learningRate, decay: options.weightDecay)
    order = Array(0..<rows.count)
  }

  var parameters: RankerParameters {
    RankerParameters(
      features: features, shape: RankerShape(featureCount: features.count, widths: layers.map(\.outputs)),
      means: means, scales: scales, weights: layers.map(\.weights), biases: layers.map(\.bias))
  }

  /// One pass over all rows in a new order; returns the mean loss on the way.
  mutating func pass(_ rows: TrainingRows, random: inout SplitMix) -> Double {
    order.shuffle(using: &random)
    var loss = 0.0
    var weight = 0.0
    for begin in stride(from: 0, to: order.count, by: batchCount) {
      let batch = order[begin..<min(order.count, begin + batchCount)]
      let (batchLoss, batchWeight) = step(rows, batch)
      loss += batchLoss
      weight += batchWeight
    }
    return weight > 0 ? loss / weight : 0
  }

  /// One batch forward and back. Returns its loss times its weight, and its weight.
  private mutating func step(_ rows: TrainingRows, _ batch: ArraySlice<Int>) -> (loss: Double, weight: Double)
  {
    let count = batch.count
    var activations = [gather(rows, batch)]
    for (index, layer) in layers.enumerated() {
      activations.append(layer.forward(activations[index], rows: count, isLast: index == layers.count - 1))
    }
    let logits = activations[layers.count]
    let labels = batch.map { rows.labels[$0] }
    let weights = batch.map { rows.weights[$0] }
    let weight = weights.reduce(0, +)
    guard weight > 0 else { return (0, 0) }
    var gradient = logits.indices.map { weights[$0] * (sigmoid(logits[$0]) - labels[$0]) / weight }
    for index in layers.indices.reversed() {
      let x = activations[index]
      gradient = layers[index].backward(gradient, x: x, rows: count, wanted: index > 0)
      if index > 0 {
        for place in gradient.indices where x[place] <= 0 { gradient[place] = 0 }
      }
    }
    adam.advance()
    for index in layers.indices { layers[index].step(adam) }
    let loss = RankingMetrics.logLoss(logits: logits, labels: labels, weights: weights) ?? 0
    return (loss * Double(weight), Double(weight))
  }

  /// A batch's rows, normalised as the model will do it.
  private func gather(_ rows: TrainingRows, _ batch: ArraySlice<Int>) -> [Float] {
    var x: [Float] = []
    x.reserveCapacity(batch.count * features.count)
    for row in batch { x += rows.values[row * features.count..<(row + 1) * features.count] }
    var normalised = [Float](repeating: 0, count: x.count)
    mk_active().pointee.normalise(x, batch.count, features.count, means, scales, &normalised)
    return normalised
  }
}
