internal import Base
internal import CKernels

/// The sizes of a ranker's layers.
package struct RankerShape: Sendable, Equatable {
  package let featureCount: Int
  /// Outputs of each layer; the last is 1.
  package let widths: [Int]

  /// `widths` ends in 1; there is at least one feature.
  package init(featureCount: Int, widths: [Int]) {
    precondition(
      featureCount > 0 && widths.last == 1 && widths.allSatisfy { $0 > 0 }, "a shape ends in one output")
    self.featureCount = featureCount
    self.widths = widths
  }

  struct Layer {
    var inputs: Int
    var outputs: Int
    var paddedOutputs: Int { (outputs + Int(MK_PANEL) - 1) / Int(MK_PANEL) * Int(MK_PANEL) }
    var packedWeightCount: Int { inputs * paddedOutputs }
  }

  var layers: [Layer] {
    zip([featureCount] + widths, widths).map { Layer(inputs: $0, outputs: $1) }
  }

  var packedWeightCount: Int { layers.reduce(0) { $0 + $1.packedWeightCount } }
  var paddedBiasCount: Int { layers.reduce(0) { $0 + $1.paddedOutputs } }
}

/// A ranker as training holds it: plain arrays.
package struct RankerParameters: Sendable, Equatable {
  package var features: [String]
  package var shape: RankerShape
  /// A feature enters as `(value - mean) * scale`.
  package var means: [Float]
  package var scales: [Float]
  /// Of each layer: inputs × outputs, row-major.
  package var weights: [[Float]]
  package var biases: [[Float]]

  package init(
    features: [String], shape: RankerShape, means: [Float], scales: [Float], weights: [[Float]],
    biases: [[Float]]
  ) {
    precondition(features.count == shape.featureCount && means.count == features.count)
    precondition(scales.count == features.count)
    precondition(weights.map(\.count) == shape.layers.map { $0.inputs * $0.outputs })
    precondition(biases.map(\.count) == shape.widths)
    self.features = features
    self.shape = shape
    self.means = means
    self.scales = scales
    self.weights = weights
    self.biases = biases
  }

  /// Writes the ranker segment. Names have no line feeds, and all numbers are finite.
  package func write(to path: String) throws {
    guard !features.contains(where: { $0.isEmpty || $0.utf8.contains(UInt8(ascii: "\n")) }),
      Set(features).count == features.count, features.count <= RankerModel.featureCountMax
    else {
      throw Fault(.invalidArgument, "features need different names of one line, at most 1024 of them")
    }
    guard shape.widths.count <= RankerModel.layerCountMax,
      shape.widths.allSatisfy({ $0 <= RankerModel.widthMax })
    else {
      throw Fault(
        .invalidArgument, "a ranker has at most 5 layers of at most 4096 outputs, not \(shape.widths)")
    }
    guard (means + scales).allSatisfy(\.isFinite), weights.joined().allSatisfy(\.isFinite),
      biases.joined().allSatisfy(\.isFinite)
    else { throw Fault(.invalidArgument, "the ranker has a weight that is not finite: train it again") }
    let writer = try SegmentWriter(
      path: path, kind: RankerModel.kind, formatVersion: RankerModel.formatVersion)
    try writer.add("HEAD", [UInt32(features.count), UInt32(shape.widths.count), 0, 0])
    try writer.add("NAME", features.flatMap { Array($0.utf8) + [UInt8(ascii: "\n")] })
    try writer.add("NORM", means + scales)
    try writer.add("SIZE", shape.widths.map { UInt32($0) })
    try writer.add("WGTS", packedWeights())
    try writer.add("BIAS", paddedBiases())
    try writer.finish()
  }

  func packedWeights() -> [Float] {
    var packed: [Float] = []
    for (layer, values) in zip(shape.layers, weights) {
      var panels = [Float](repeating: 0, count: layer.packedWeightCount)
      mk_pack(values, layer.outputs, layer.inputs, layer.outputs, &panels)
      packed += panels
    }
    return packed
  }

  func paddedBiases() -> [Float] {
    zip(shape.layers, biases).flatMap { layer, values in
      values + [Float](repeating: 0, count: layer.paddedOutputs - layer.outputs)
    }
  }
}
