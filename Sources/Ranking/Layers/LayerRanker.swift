package import Base
internal import CKernels

/// A ranker of dense layers that another tool trained, in floats or brought to bytes, used in place from its segment.
///
///     HEAD  u32 × 16: features, layers, form (0 floats, 1 bytes), link, zeros
///     NAME  u8: the features' names in UTF-8, each followed by a line feed
///     SIZE  u32: outputs of each layer; the last is 1
///     NORM  f32: of each feature what it is multiplied by, then what is added, then what takes the place of a value that
///           isn't there. Of floats that is the first layer's input, of bytes the byte
///     REAC  f32: how far inputs are let from zero (of floats)
///     WGTS  each layer's weights in panels of 16 outputs: f32, or s8 in words of 4 inputs; of bytes the last layer's are a
///           row of 64, 128 ... inputs
///     BIAS  f32: each layer's biases, padded to whole panels (of floats)
///     FACT  f32: what each output's sum is multiplied by, padded to whole panels (of bytes)
///     OFFS  f32: what is added then, likewise (of bytes)
///     LOSS  f64 × 4: of bytes against floats NDCG@10's loss, Kendall's tau, groups and rows measured on (of bytes)
///
/// Hidden layers end in a rectifier, the last in nothing. A score is the last layer's value.
///
/// Guard for `@unchecked Sendable`: the pointers lead into bytes that are kept and never change.
package struct LayerRanker: @unchecked Sendable {
  package static let kind: SegmentTag = "LAYR"
  package static let formatVersion: UInt32 = 1

  package let features: [String]
  package let widths: [Int]
  package let isQuantised: Bool
  package let link: ScoreLink
  /// What bytes cost against floats; `nil` of floats.
  package let loss: QuantisationLoss?
  private let norms: UnsafePointer<Float>
  private let reach: Float
  private let layers: [Layer]
  private let owner: MappedBytes

  private struct Layer {
    var inputs: Int
    var outputs: Int
    var weights: UnsafeRawPointer
    /// Factors of bytes; `nil` of floats.
    var factors: UnsafePointer<Float>?
    /// Biases of floats, offsets of bytes.
    var offsets: UnsafePointer<Float>
  }

  package init(opening mapped: MappedBytes, name: String) throws(Refusal) {
    let segment = try Segment(
      opening: mapped, name: name, kind: Self.kind, formatVersion: Self.formatVersion)
    let head = try LayerHead(segment)
    func floats(_ tag: SegmentTag, _ count: Int) throws(Refusal) -> UnsafePointer<Float> {
      let values = try segment.array(tag, of: Float.self, count: count)
      guard values.allSatisfy(\.isFinite), let start = values.baseAddress else {
        throw Refusal(.unreadable, at: "\(name) section \(tag)", "has a value that is not finite")
      }
      return start
    }
    features = try FeatureNames.decode(
      Array(try segment.array("NAME", of: UInt8.self)), count: head.featureCount,
      place: "\(name) section NAME")
    widths = head.widths
    isQuantised = head.isQuantised
    link = ScoreLink(head.link)
    norms = try floats("NORM", head.featureCount * 3)
    let outputCount = head.shapes.reduce(0) { $0 + LayerPadding.panels($1.outputs) }
    if head.isQuantised {
      reach = .infinity
      let weights = try segment.array("WGTS", of: Int8.self, count: head.byteCounts.reduce(0, +))
      layers = try Self.byteLayers(
        head, weights: UnsafeRawPointer(weights.baseAddress), factors: try floats("FACT", outputCount),
        offsets: try floats("OFFS", outputCount), name: name)
      loss = try QuantisationLoss(try segment.array("LOSS", of: Double.self, count: 4), name: name)
    } else {
      let reaches = try segment.array("REAC", of: Float.self, count: 1)
      guard reaches[0] > 0 else {
        throw Refusal(.unreadable, at: "\(name) section REAC", "is not above zero")
      }
      reach = reaches[0]
      let count = head.shapes.reduce(0) { $0 + $1.inputs * LayerPadding.panels($1.outputs) }
      layers = Self.floatLayers(
        head, weights: try floats("WGTS", count), biases: try floats("BIAS", outputCount))
      loss = nil
    }
    owner = mapped
  }

  private static func floatLayers(
    _ head: LayerHead, weights: UnsafePointer<Float>, biases: UnsafePointer<Float>
  ) -> [Layer] {
    var (weights, biases) = (weights, biases)
    return head.shapes.map { shape in
      let padded = LayerPadding.panels(shape.outputs)
      defer { (weights, biases) = (weights + shape.inputs * padded, biases + padded) }
      return Layer(
        inputs: shape.inputs, outputs: shape.outputs, weights: UnsafeRawPointer(weights), factors: nil,
        offsets: biases)
    }
  }

  private static func byteLayers(
    _ head: LayerHead, weights: UnsafeRawPointer?, factors: UnsafePointer<Float>,
    offsets: UnsafePointer<Float>, name: String
  ) throws(Refusal) -> [Layer] {
    guard var weights else { throw Refusal(.unreadable, at: "\(name) section WGTS", "is empty") }
    var (factors, offsets) = (factors, offsets)
    var layers: [Layer] = []
    for (index, shape) in head.shapes.enumerated() {
      let isLast = index == head.shapes.count - 1
      let inputs = isLast ? LayerPadding.row(shape.inputs) : LayerPadding.word(shape.inputs)
      let padded = LayerPadding.panels(shape.outputs)
      let most = QuantisedLayers.Layer.sumMax(inputs: inputs)
      // Beyond it the kernels' rounding has no number, and each level would have its own.
      guard (0..<padded).allSatisfy({ abs(factors[$0]) * most + abs(offsets[$0]) < MK_LAYER_REACH }) else {
        throw Refusal(.unreadable, at: "\(name) section FACT", "has a factor out of reach")
      }
      layers.append(
        Layer(
          inputs: inputs, outputs: shape.outputs, weights: weights, factors: factors, offsets: offsets))
      weights += head.byteCounts[index]
      (factors, offsets) = (factors + padded, offsets + padded)
    }
    return layers
  }

  /// Scores candidates: the value of the last layer, higher is better.
  package func score(
    _ rows: UnsafeBufferPointer<Float>, count: Int, into scores: UnsafeMutableBufferPointer<Float>,
    scratch: RankerScratch
  ) {
    precondition(
      count >= 0 && rows.count >= count * features.count && scores.count >= count, "rows are whole")
    guard let first = rows.baseAddress, let out = scores.baseAddress, count > 0 else { return }
    let widest = ([features.count] + widths).max() ?? 1
    scratch.layers.reserve(width: widest)
    for begin in stride(from: 0, to: count, by: LayerScratch.rowCount) {
      let block = min(LayerScratch.rowCount, count - begin)
      let rows = first + begin * features.count
      if isQuantised {
        scoreBytes(rows, count: block, into: out + begin, scratch: scratch.layers)
      } else {
        scoreFloats(rows, count: block, into: out + begin, scratch: scratch.layers)
      }
    }
  }

  private func scoreBytes(
    _ rows: UnsafePointer<Float>, count: Int, into scores: UnsafeMutablePointer<Float>, scratch: LayerScratch
  ) {
    let kernels = mk_layers_active()
    var (input, output) = (scratch.firstBytes, scratch.secondBytes)
    let width = features.count
    var inputStride = LayerPadding.row(width)
    kernels.pointee.quantise(
      rows, count, width, norms, norms + width, norms + 2 * width, input, inputStride)
    for (index, layer) in layers.enumerated() {
      guard let factors = layer.factors else { return }
      let weights = layer.weights.assumingMemoryBound(to: Int8.self)
      guard index < layers.count - 1 else {
        return kernels.pointee.last(
          input, inputStride, count, layer.inputs, weights, factors[0], layer.offsets[0], scores)
      }
      let stride = LayerPadding.row(layer.outputs)
      kernels.pointee.dense(
        input, inputStride, LayerPadding.rows(count), layer.inputs, weights,
        LayerPadding.panels(layer.outputs), factors, layer.offsets, output, stride)
      inputStride = stride
      swap(&input, &output)
    }
  }

  private func scoreFloats(
    _ rows: UnsafePointer<Float>, count: Int, into scores: UnsafeMutablePointer<Float>, scratch: LayerScratch
  ) {
    var (input, output) = (scratch.firstFloats, scratch.secondFloats)
    let width = features.count
    for place in 0..<count * width {
      let feature = place % width
      let value = rows[place].isNaN ? norms[2 * width + feature] : rows[place]
      input[place] = max(-reach, min(reach, value * norms[feature] + norms[width + feature]))
    }
    for (index, layer) in layers.enumerated() {
      let isLast = index == layers.count - 1
      mk_active().pointee.dense(
        input, layer.inputs, count, layer.inputs, layer.weights.assumingMemoryBound(to: Float.self),
        layer.offsets, layer.outputs, isLast ? 0 : 1, isLast ? scores : output, layer.outputs)
      swap(&input, &output)
    }
  }
}

extension LayerRanker {
  /// The same as plain arrays, for the quantiser; `nil` of bytes.
  var network: LayerNetwork? {
    guard !isQuantised else { return nil }
    let width = features.count
    return LayerNetwork(
      features: features, scales: (0..<width).map { norms[$0] },
      shifts: (0..<width).map { norms[width + $0] },
      fills: (0..<width).map { norms[2 * width + $0] },
      reach: reach == .greatestFiniteMagnitude ? .infinity : reach,
      layers: layers.map { layer in
        LayerNetwork.Layer(
          inputs: layer.inputs, outputs: layer.outputs,
          weights: LayerNetwork.unpacked(
            layer.weights.assumingMemoryBound(to: Float.self), inputs: layer.inputs, outputs: layer.outputs),
          bias: (0..<layer.outputs).map { layer.offsets[$0] })
      }, link: link)
  }
}

extension LayerRanker: Ranker {
  package func outputs(
    _ rows: UnsafeBufferPointer<Float>, count: Int, raw: Bool, scratch: RankerScratch
  ) -> [Double] {
    logits(self, rows, count: count, scratch: scratch).map {
      raw || link.form == .identity ? Double($0) : Double(sigmoid($0))
    }
  }

  /// Some 10 µs of work: a row of layers costs the same in any company.
  package var blockCount: Int { LayerScratch.rowCount }
}
