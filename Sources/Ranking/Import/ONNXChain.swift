internal import Base

/// What a graph's operators come to, one after the other: the features' normalisation, layers, and a link at the end.
///
/// A factor or a shift goes into whatever stands where it comes: into the normalisation before the first layer, into the
/// layer that it follows, or, after a Relu, into the next.
struct ONNXChain {
  private(set) var featureCount: Int?
  /// What every feature is multiplied by, and what is added then, before the first layer.
  private var scales: [Float]?
  private var shifts: [Float]?
  private(set) var layers: [LayerNetwork.Layer] = []
  /// The last layer's values have been rectified: what comes now belongs to the next.
  private(set) var isRectified = false
  /// Factors and shifts of rectified values, which the next layer takes up.
  private var pending: (scales: [Float], shifts: [Float])?
  private var link = ScoreLink(.identity)
  /// The Sigmoid has come.
  private(set) var isFinished = false

  /// Values that come out of it so far; `nil` before anything said how many.
  var width: Int? { layers.last?.outputs ?? featureCount }

  mutating func setFeatures(_ count: Int, place: String) throws(Refusal) {
    guard (1...LayerNetwork.featureCountMax).contains(count), featureCount ?? count == count else {
      throw Refusal(
        .limitExceeded, at: place,
        "has \(count) features, where \(featureCount ?? LayerNetwork.featureCountMax) can be")
    }
    featureCount = count
  }

  mutating func rectify() { isRectified = true }

  mutating func finish() {
    link = ScoreLink(.sigmoid)
    isFinished = true
  }

  mutating func append(_ weights: LayerNetwork.Layer, _ node: ONNXNode) throws(Refusal) {
    var layer = weights
    guard layers.isEmpty || isRectified else {
      throw node.refusal("follows a layer without a Relu between them")
    }
    if let last = layers.last {
      guard last.outputs == layer.inputs else {
        throw node.refusal("takes \(layer.inputs) values, and \(last.outputs) come")
      }
    } else {
      try setFeatures(layer.inputs, place: node.place)
    }
    if let pending {
      for input in 0..<layer.inputs {
        for output in 0..<layer.outputs {
          layer.bias[output] += pending.shifts[input] * layer.weights[input * layer.outputs + output]
          layer.weights[input * layer.outputs + output] *= pending.scales[input]
        }
      }
    }
    guard (layer.weights + layer.bias).allSatisfy(\.isFinite), layers.count < LayerNetwork.layerCountMax
    else {
      throw node.refusal("has weights that are not finite, or is a sixth layer")
    }
    (pending, isRectified) = (nil, false)
    layers.append(layer)
  }

  /// Every value times a factor plus a shift, into whatever stands there.
  mutating func apply(
    factors: [Float], shifts added: [Float], _ node: ONNXNode
  ) throws(Refusal) {
    guard (factors + added).allSatisfy(\.isFinite) else {
      throw node.refusal("makes a number that is not finite")
    }
    func joined(_ scales: [Float]?, _ shifts: [Float]?) -> ([Float], [Float]) {
      let scales = scales ?? [Float](repeating: 1, count: factors.count)
      let shifts = shifts ?? [Float](repeating: 0, count: factors.count)
      return (zip(scales, factors).map(*), factors.indices.map { shifts[$0] * factors[$0] + added[$0] })
    }
    if layers.isEmpty {
      try setFeatures(factors.count, place: node.place)
      (scales, shifts) = joined(scales, shifts)
    } else if isRectified {
      pending = joined(pending?.scales, pending?.shifts)
    } else {
      var layer = layers.removeLast()
      for place in layer.weights.indices { layer.weights[place] *= factors[place % layer.outputs] }
      for output in 0..<layer.outputs {
        layer.bias[output] = layer.bias[output] * factors[output] + added[output]
      }
      layers.append(layer)
    }
  }

  /// - Parameter name: of the file, for refusals.
  func network(name: String) throws(Refusal) -> LayerNetwork {
    guard let last = layers.last, last.outputs == 1, !isRectified || isFinished, pending == nil else {
      throw Refusal(
        .malformed, at: "\(name) (graph)", "does not end in a layer of one output, with or without a Sigmoid")
    }
    guard layers.count <= LayerNetwork.layerCountMax, let featureCount else {
      throw Refusal(
        .limitExceeded, at: "\(name) (graph)",
        "has \(layers.count) layers: at most 4 hidden ones and the last")
    }
    return LayerNetwork(
      features: (0..<featureCount).map { "f\($0)" },
      scales: scales ?? [Float](repeating: 1, count: featureCount),
      shifts: shifts ?? [Float](repeating: 0, count: featureCount), fills: fills(featureCount),
      reach: .infinity,
      layers: layers, link: link)
  }

  /// A value that isn't there counts as the one that normalises to zero, where features are normalised.
  private func fills(_ count: Int) -> [Float] {
    (0..<count).map { feature in
      guard let scale = scales?[feature], let shift = shifts?[feature], scale != 0, (-shift / scale).isFinite
      else {
        return 0
      }
      return -shift / scale
    }
  }
}
