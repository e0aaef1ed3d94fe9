package import Base
internal import CKernels

/// A ranker: normalised features through dense layers to one logit, used in place from its segment.
///
///     HEAD  u32 × 4: features, layers, 0, 0
///     NAME  u8: the features' names in UTF-8, each followed by a line feed
///     NORM  f32: the mean of each feature, then what its distance from the mean is multiplied by
///     SIZE  u32: outputs of each layer; the last is 1
///     WGTS  f32: each layer's weights, packed in panels of 16 outputs
///     BIAS  f32: each layer's biases, padded to whole panels
///
/// No hidden layer is logistic regression. Hidden layers end in a rectifier, the last in nothing.
///
/// Guard for `@unchecked Sendable`: the pointers lead into bytes that are kept and never change.
package struct RankerModel: @unchecked Sendable {
  package static let kind: SegmentTag = "RANK"
  package static let formatVersion: UInt32 = 1
  package static let featureCountMax = 1024
  package static let layerCountMax = 5
  package static let widthMax = 4096

  /// The features of a row, in order.
  package let features: [String]
  /// Outputs of each layer; the last is 1.
  package let widths: [Int]
  private let means: UnsafePointer<Float>
  private let scales: UnsafePointer<Float>
  private let layers: [Layer]
  /// What the pointers lead into.
  private let owners: [MappedBytes]

  private struct Layer {
    var inputs: Int
    var outputs: Int
    var panels: UnsafePointer<Float>
    var bias: UnsafePointer<Float>
  }

  package init(opening mapped: MappedBytes, name: String) throws(Refusal) {
    let segment = try Segment(
      opening: mapped, name: name, kind: Self.kind, formatVersion: Self.formatVersion)
    let head = try segment.array("HEAD", of: UInt32.self, count: 4)
    let featureCount = Int(head[0])
    let layerCount = Int(head[1])
    guard (1...Self.featureCountMax).contains(featureCount), (1...Self.layerCountMax).contains(layerCount)
    else {
      throw Refusal(
        .limitExceeded, at: "\(name) section HEAD", "has \(featureCount) features and \(layerCount) layers")
    }
    let widths = try segment.array("SIZE", of: UInt32.self, count: layerCount).map { Int($0) }
    guard widths.allSatisfy({ (1...Self.widthMax).contains($0) }), widths.last == 1 else {
      throw Refusal(.unreadable, at: "\(name) section SIZE", "has layers of \(widths)")
    }
    let shape = RankerShape(featureCount: featureCount, widths: widths)
    let norms = try segment.array("NORM", of: Float.self, count: featureCount * 2)
    let weights = try segment.array("WGTS", of: Float.self, count: shape.packedWeightCount)
    let biases = try segment.array("BIAS", of: Float.self, count: shape.paddedBiasCount)
    for (tag, values) in [("NORM", norms), ("WGTS", weights), ("BIAS", biases)] {
      guard values.allSatisfy(\.isFinite) else {
        throw Refusal(.unreadable, at: "\(name) section \(tag)", "has a value that is not finite")
      }
    }
    let names = try segment.array("NAME", of: UInt8.self)
    features = try FeatureNames.decode(
      Array(names), count: featureCount, place: "\(name) section NAME")
    guard let norm = norms.baseAddress, let weight = weights.baseAddress, let bias = biases.baseAddress else {
      throw Refusal(.unreadable, at: name, "has an empty section")
    }
    self.widths = widths
    (means, scales) = (norm, norm + featureCount)
    layers = Self.layers(shape, weights: weight, biases: bias)
    owners = [mapped]
  }

  /// A model in memory, from what training found.
  package init(_ parameters: RankerParameters) {
    let shape = parameters.shape
    let norms = MappedBytes(copying: floatBytes(parameters.means + parameters.scales))
    let weights = MappedBytes(copying: floatBytes(parameters.packedWeights()))
    let biases = MappedBytes(copying: floatBytes(parameters.paddedBiases()))
    guard let norm = norms.bytes.baseAddress, let weight = weights.bytes.baseAddress,
      let bias = biases.bytes.baseAddress
    else { preconditionFailure("parameters have at least one feature and one layer") }
    features = parameters.features
    widths = shape.widths
    means = norm.assumingMemoryBound(to: Float.self)
    scales = means + shape.featureCount
    layers = Self.layers(
      shape, weights: weight.assumingMemoryBound(to: Float.self),
      biases: bias.assumingMemoryBound(to: Float.self))
    owners = [norms, weights, biases]
  }

  /// The probability that a logit stands for.
  package static func probability(_ logit: Float) -> Float { sigmoid(logit) }

  /// Scores candidates: the logit of each, higher is better. The same bits on every machine.
  ///
  /// - Parameters:
  ///   - rows: `count` rows of `features.count` floats, row after row; one that is not a number counts as its
  ///     feature's mean.
  ///   - scores: room for `count`.
  package func score(
    _ rows: UnsafeBufferPointer<Float>, count: Int, into scores: UnsafeMutableBufferPointer<Float>,
    scratch: RankerScratch
  ) {
    precondition(
      count >= 0 && rows.count >= count * features.count && scores.count >= count, "rows are whole")
    guard let first = rows.baseAddress, let out = scores.baseAddress else { return }
    scratch.reserve(width: max(features.count, widths.max() ?? 1))
    let kernels = mk_active()
    // In blocks, so that a block's layers stay in the second cache.
    for begin in stride(from: 0, to: count, by: RankerScratch.blockCount) {
      let block = min(RankerScratch.blockCount, count - begin)
      guard var input = scratch.first.baseAddress, var output = scratch.second.baseAddress else { return }
      kernels.pointee.normalise(
        first + begin * features.count, block, features.count, means, scales, input)
      for (index, layer) in layers.enumerated() {
        let isLast = index == layers.count - 1
        kernels.pointee.dense(
          input, layer.inputs, block, layer.inputs, layer.panels, layer.bias, layer.outputs, isLast ? 0 : 1,
          isLast ? out + begin : output, layer.outputs)
        swap(&input, &output)
      }
    }
  }

  /// The same as plain arrays, for the quantiser.
  package var network: LayerNetwork {
    LayerNetwork(
      features: features, scales: features.indices.map { scales[$0] },
      shifts: features.indices.map { -means[$0] * scales[$0] }, fills: features.indices.map { means[$0] },
      reach: MK_FEATURE_LIMIT,
      layers: layers.map { layer in
        LayerNetwork.Layer(
          inputs: layer.inputs, outputs: layer.outputs,
          weights: LayerNetwork.unpacked(layer.panels, inputs: layer.inputs, outputs: layer.outputs),
          bias: (0..<layer.outputs).map { layer.bias[$0] })
      }, link: ScoreLink(.sigmoid))
  }

  private static func layers(
    _ shape: RankerShape, weights: UnsafePointer<Float>, biases: UnsafePointer<Float>
  ) -> [Layer] {
    var (weights, biases) = (weights, biases)
    return shape.layers.map { layer in
      defer {
        weights += layer.packedWeightCount
        biases += layer.paddedOutputs
      }
      return Layer(inputs: layer.inputs, outputs: layer.outputs, panels: weights, bias: biases)
    }
  }
}

/// What one worker thread needs to score. Reused; grows only for a wider model.
package final class RankerScratch {
  static let blockCount = 128
  private(set) var first: UnsafeMutableBufferPointer<Float> = .allocate(capacity: 0)
  private(set) var second: UnsafeMutableBufferPointer<Float> = .allocate(capacity: 0)
  let trees = TreeScratch()
  let layers = LayerScratch()

  package init() {}

  deinit {
    first.deallocate()
    second.deallocate()
  }

  func reserve(width: Int) {
    guard width * Self.blockCount > first.count else { return }
    first.deallocate()
    second.deallocate()
    first = .allocate(capacity: width * Self.blockCount)
    second = .allocate(capacity: width * Self.blockCount)
  }
}

private func floatBytes(_ values: [Float]) -> [UInt8] { values.withUnsafeBytes { Array($0) } }
