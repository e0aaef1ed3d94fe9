package import Base
internal import CKernels

/// A network brought to bytes: what a segment of layers holds.
///
/// Every input and every hidden value has a range of its own, so a byte means as much as it can; ranges disappear in
/// the weights that follow, and those have a scale for each output.
package struct QuantisedLayers: Sendable, Equatable {
  struct Layer: Sendable, Equatable {
    var inputs: Int
    var outputs: Int
    /// Inputs × outputs, row-major.
    var weights: [Int8]
    /// What a sum is multiplied by, and what is added then.
    var factors: [Float]
    var offsets: [Float]
  }

  var features: [String]
  var factors: [Float]
  var offsets: [Float]
  var fills: [Float]
  var layers: [Layer]
  var link: ScoreLink

  /// The share of calibration values at each end that a range may leave out.
  private static let tail = 0.0001
  /// Rows of calibration that ranges are taken from.
  package static let rowCountMax = 20_000

  /// - Parameter rows: calibration rows, as they will be scored: their ranges are what bytes can say.
  ///
  /// Throws a ``Base/Fault`` when there are no rows, or when numbers are out of what bytes can do.
  package init(_ network: LayerNetwork, calibration rows: [Float]) throws(Fault) {
    let width = network.features.count
    let count = min(rows.count / width, Self.rowCountMax)
    guard count > 0 else { throw Fault(.invalidArgument, "quantising needs calibration rows") }
    let inputs = (0..<width).map { feature in
      Self.range(of: (0..<count).map { rows[$0 * width + feature] }, network, feature)
    }
    let hidden = network.activations(Array(rows.prefix(count * width)), count: count).dropLast()
    features = network.features
    fills = network.fills
    link = network.link
    factors = inputs.map { 1 / $0.step }
    offsets = inputs.map { -$0.low / $0.step }
    layers = []
    // What a byte of each input of the layer is worth, and what byte 0 is.
    var steps = zip(inputs, network.scales).map { $0.step * $1 }
    var lows = zip(inputs, zip(network.scales, network.shifts)).map { $0.low * $1.0 + $1.1 }
    for (index, layer) in network.layers.enumerated() {
      let isLast = index == network.layers.count - 1
      let worth =
        isLast ? [1] : Self.steps(of: hidden[index], outputs: layer.outputs, count: count)
      layers.append(Self.layer(layer, steps: steps, lows: lows, worth: worth))
      steps = worth
      lows = [Float](repeating: 0, count: worth.count)
    }
    let isInReach = layers.enumerated().allSatisfy { $1.isInReach(isLast: $0 == layers.count - 1) }
    guard isInReach, (factors + offsets).allSatisfy(\.isFinite) else {
      throw Fault(
        .invalidArgument, "the model's numbers are too large or too small for bytes: normalise its features")
    }
  }

  private static func range(
    of values: [Float], _ network: LayerNetwork, _ feature: Int
  ) -> (low: Float, step: Float) {
    let sorted = values.filter(\.isFinite).sorted()
    guard let first = sorted.first, let last = sorted.last else { return (0, 1) }
    let cut = Int(Double(sorted.count) * tail)
    var (low, high) = (first, last)
    // Values of few kinds are kept to their ends; long tails give way to precision where most values are.
    if cut > 0 { (low, high) = (sorted[cut], sorted[sorted.count - 1 - cut]) }
    let scale = network.scales[feature]
    if network.reach.isFinite, scale > 0 {
      low = max(low, (-network.reach - network.shifts[feature]) / scale)
      high = min(high, (network.reach - network.shifts[feature]) / scale)
    }
    let step = (high - low) / 255
    return step > 0 && step.isFinite && (1 / step).isFinite ? (low, step) : (low, 1)
  }

  private static func steps(of values: [Float], outputs: Int, count: Int) -> [Float] {
    let highs = (0..<outputs).map { output in
      let sorted = (0..<count).map { values[$0 * outputs + output] }.sorted()
      return sorted[count - 1 - Int(Double(count) * tail)]
    }
    // A value that was hardly ever above zero in calibration may be some day: its range is that of the others.
    let most = max(highs.max() ?? 1, 1e-20)
    return highs.map { ($0 > most / 1000 ? $0 : most) / 255 }
  }

  private static func layer(
    _ layer: LayerNetwork.Layer, steps: [Float], lows: [Float], worth: [Float]
  ) -> Layer {
    var weights = [Int8](repeating: 0, count: layer.weights.count)
    var (factors, offsets): ([Float], [Float]) = ([], [])
    for output in 0..<layer.outputs {
      var most = 0.0
      var sum = Double(layer.bias[output])
      for input in 0..<layer.inputs {
        let weight = Double(layer.weights[input * layer.outputs + output])
        most = max(most, abs(weight * Double(steps[input])))
        sum += weight * Double(lows[input])
      }
      let scale = most / 127
      if scale > 0 {
        for input in 0..<layer.inputs {
          let place = input * layer.outputs + output
          let value = Double(layer.weights[place]) * Double(steps[input]) / scale
          weights[place] = Int8(max(-127, min(127, value.rounded(.toNearestOrEven))))
        }
      }
      factors.append(Float(scale / Double(worth[output])))
      offsets.append(Float(sum / Double(worth[output])))
    }
    return Layer(
      inputs: layer.inputs, outputs: layer.outputs, weights: weights, factors: factors, offsets: offsets)
  }
}

extension QuantisedLayers.Layer {
  /// The largest sum that the layer's inputs can come to.
  static func sumMax(inputs: Int) -> Float { Float(255 * 128 * inputs) }

  /// As the segment's reader asks, which counts the zeros at the ends of rows too.
  func isInReach(isLast: Bool) -> Bool {
    let most = Self.sumMax(inputs: isLast ? LayerPadding.row(inputs) : LayerPadding.word(inputs))
    return zip(factors, offsets).allSatisfy { abs($0) * most + abs($1) < MK_LAYER_REACH }
  }
}
