internal import Base
internal import CKernels

extension LayerRanker {
  /// Writes a network of floats.
  package static func write(_ network: LayerNetwork, to path: String) throws {
    try check(features: network.features, widths: network.widths)
    guard (network.scales + network.shifts + network.fills).allSatisfy(\.isFinite),
      network.layers.allSatisfy({ $0.weights.allSatisfy(\.isFinite) && $0.bias.allSatisfy(\.isFinite) })
    else { throw Fault(.invalidArgument, "the model has a weight that is not finite: train it again") }
    let writer = try SegmentWriter(path: path, kind: kind, formatVersion: formatVersion)
    try writer.add(
      "HEAD",
      LayerHead.words(
        features: network.features.count, layers: network.layers.count, isQuantised: false,
        link: network.link.form))
    try writer.add("NAME", FeatureNames.bytes(network.features))
    try writer.add("SIZE", network.widths.map { UInt32($0) })
    try writer.add("NORM", network.scales + network.shifts + network.fills)
    try writer.add("REAC", [min(network.reach, .greatestFiniteMagnitude)])
    var (weights, biases): ([Float], [Float]) = ([], [])
    for layer in network.layers {
      let padded = LayerPadding.panels(layer.outputs)
      var panels = [Float](repeating: 0, count: layer.inputs * padded)
      mk_pack(layer.weights, layer.outputs, layer.inputs, layer.outputs, &panels)
      weights += panels
      biases += layer.bias + [Float](repeating: 0, count: padded - layer.outputs)
    }
    try writer.add("WGTS", weights)
    try writer.add("BIAS", biases)
    try writer.finish()
  }

  /// Writes a network of bytes, with what it cost against its floats.
  package static func write(_ network: QuantisedLayers, loss: QuantisationLoss, to path: String) throws {
    let widths = network.layers.map(\.outputs)
    try check(features: network.features, widths: widths)
    let writer = try SegmentWriter(path: path, kind: kind, formatVersion: formatVersion)
    try writer.add(
      "HEAD",
      LayerHead.words(
        features: network.features.count, layers: widths.count, isQuantised: true, link: network.link.form))
    try writer.add("NAME", FeatureNames.bytes(network.features))
    try writer.add("SIZE", widths.map { UInt32($0) })
    try writer.add("NORM", network.factors + network.offsets + network.fills)
    var weights: [Int8] = []
    var (factors, offsets): ([Float], [Float]) = ([], [])
    for (index, layer) in network.layers.enumerated() {
      let padded = LayerPadding.panels(layer.outputs)
      let padding = [Float](repeating: 0, count: padded - layer.outputs)
      factors += layer.factors + padding
      offsets += layer.offsets + padding
      guard index < widths.count - 1 else {
        weights += layer.weights
        weights += [Int8](repeating: 0, count: LayerPadding.row(layer.inputs) - layer.inputs)
        continue
      }
      let inputs = LayerPadding.word(layer.inputs)
      var panels = [Int8](repeating: 0, count: inputs * padded)
      mk_pack_bytes(layer.weights, layer.inputs, layer.outputs, inputs, &panels)
      weights += panels
    }
    try writer.add("WGTS", weights)
    try writer.add("FACT", factors)
    try writer.add("OFFS", offsets)
    try writer.add("LOSS", loss.numbers)
    try writer.finish()
  }

  private static func check(features: [String], widths: [Int]) throws(Fault) {
    try FeatureNames.check(features, countMax: LayerNetwork.featureCountMax)
    guard widths.count <= LayerNetwork.layerCountMax, widths.last == 1,
      widths.allSatisfy({ (1...LayerNetwork.widthMax).contains($0) })
    else {
      throw Fault(
        .invalidArgument,
        "a ranker has at most 4 hidden layers of at most \(LayerNetwork.widthMax) outputs and one output, not \(widths)"
      )
    }
  }
}
