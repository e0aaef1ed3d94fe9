internal import Base
internal import CMessages

/// One chain of operators, followed from the input to the output.
struct ONNXGraph {
  private let graph: Marquee__Onnx__Graph
  private let name: String
  private var constants: [String: ONNXConstant] = [:]
  /// The value that the chain has come to.
  private var current = ""
  private var featureCount: Int?
  /// What every feature is multiplied by, and what is added then, before the first layer.
  private var scales: [Float]?
  private var shifts: [Float]?
  private var layers: [LayerNetwork.Layer] = []
  /// The last layer's values have been rectified: what comes now belongs to the next.
  private var isRectified = false
  /// Factors and shifts of rectified values, which the next layer takes up.
  private var pending: (scales: [Float], shifts: [Float])?
  private var link = ScoreLink(.identity)
  private var isFinished = false

  init(_ graph: Marquee__Onnx__Graph, name: String) {
    self.graph = graph
    self.name = name
  }

  func network() throws(Refusal) -> LayerNetwork {
    var copy = self
    return try copy.read()
  }

  private mutating func read() throws(Refusal) -> LayerNetwork {
    for index in 0..<graph.n_initializer {
      guard let tensor = graph.initializer[index]?.pointee else { continue }
      let tensorName = Self.text(tensor.name)
      constants[tensorName] = try ONNXConstant(
        tensor, place: "\(name) (initializer \(tensorName.prefix(60)))")
    }
    try findInput()
    for index in 0..<graph.n_node {
      guard let node = graph.node[index]?.pointee else { continue }
      let step = ONNXNode(node, place: "\(name) (node \(index), \(Self.text(node.op_type).prefix(40)))")
      try take(step)
    }
    guard graph.n_output == 1, let output = graph.output[0], Self.text(output.pointee.name) == current else {
      throw Refusal(
        .malformed, at: "\(name) (output)", "is not the one value at the end of the chain: export one output")
    }
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

  private mutating func findInput() throws(Refusal) {
    let inputs = (0..<graph.n_input).compactMap { graph.input[$0]?.pointee }
      .filter { constants[Self.text($0.name)] == nil }
    guard inputs.count == 1 else {
      throw Refusal(
        .malformed, at: "\(name) (input)",
        "are \(inputs.count) and not one: export the model with one input of features")
    }
    current = Self.text(inputs[0].name)
    guard let shape = inputs[0].type?.pointee.tensor_type?.pointee.shape?.pointee, shape.n_dim == 2,
      let side = shape.dim[1]?.pointee.dim_value, side > 0
    else { return }
    try setFeatures(Int(clamping: side), "\(name) (input)")
  }

  private mutating func setFeatures(_ count: Int, _ place: String) throws(Refusal) {
    guard (1...LayerNetwork.featureCountMax).contains(count), featureCount ?? count == count else {
      throw Refusal(
        .limitExceeded, at: place,
        "has \(count) features, where \(featureCount ?? LayerNetwork.featureCountMax) can be")
    }
    featureCount = count
  }

  static func text(_ pointer: UnsafePointer<CChar>?) -> String { pointer.map { String(cString: $0) } ?? "" }

  // MARK: Operators

  private mutating func take(_ node: ONNXNode) throws(Refusal) {
    guard node.domain.isEmpty || node.domain == "ai.onnx" else {
      throw node.refusal(
        "is of the domain \(node.domain.prefix(40)): export the model in ONNX's own operators, quantised as QDQ"
      )
    }
    if try takeConstant(node) { return }
    guard node.outputs.count >= 1, node.inputs.contains(current) else {
      throw node.refusal(
        "does not take up \(current.prefix(60)): only a chain of dense layers can be imported")
    }
    guard
      !isFinished
        || ["Identity", "Squeeze", "Flatten", "QuantizeLinear", "DequantizeLinear"].contains(node.type)
    else { throw node.refusal("comes after the Sigmoid, which ends a ranker") }
    switch node.type {
    case "Gemm": try gemm(node)
    case "MatMul": try layer(node, weights: try matrix(node, at: 1, transposed: false), bias: nil)
    case "Add", "Sub", "Mul", "Div": try arithmetic(node)
    case "BatchNormalization": try batchNormalization(node)
    case "Relu":
      guard !layers.isEmpty, !isRectified else { throw node.refusal("does not follow a layer") }
      isRectified = true
    case "Sigmoid":
      guard layers.last?.outputs == 1, !isRectified else {
        throw node.refusal("is not the end of a layer of one output: hidden layers end in Relu")
      }
      link = ScoreLink(.sigmoid)
      isFinished = true
    case "QuantizeLinear": try quantizeLinear(node)
    case "Identity", "Dropout", "Flatten", "Squeeze", "DequantizeLinear", "Cast": break
    default:
      throw node.refusal(
        "is no operator that can be imported: Gemm, MatMul, Add, Sub, Mul, Div, Relu, Sigmoid, BatchNormalization"
      )
    }
    current = node.outputs[0]
  }

  /// Nodes of constants alone: constants in the graph, and weights in bytes.
  private mutating func takeConstant(_ node: ONNXNode) throws(Refusal) -> Bool {
    guard node.outputs.count == 1 else { return false }
    switch node.type {
    case "Constant":
      guard let tensor = node.tensor("value") else { throw node.refusal("has no tensor") }
      constants[node.outputs[0]] = try ONNXConstant(tensor, place: node.place)
    case "DequantizeLinear" where node.inputs.first.map { constants[$0] != nil } ?? false:
      constants[node.outputs[0]] = try dequantised(node)
    case "Identity", "Cast":
      guard let input = node.inputs.first, let constant = constants[input] else { return false }
      constants[node.outputs[0]] = constant
    default: return false
    }
    return true
  }

  private func constant(_ node: ONNXNode, at index: Int) throws(Refusal) -> ONNXConstant {
    guard index < node.inputs.count, let constant = constants[node.inputs[index]] else {
      throw node.refusal("has an input \(index) that is no constant of the model")
    }
    return constant
  }

  private func dequantised(_ node: ONNXNode) throws(Refusal) -> ONNXConstant {
    var tensor = try constant(node, at: 0)
    let scale = try constant(node, at: 1).values
    let zero =
      node.inputs.count > 2 ? try constant(node, at: 2).values : [Float](repeating: 0, count: scale.count)
    var axis = node.integer("axis", default: 1)
    if axis < 0 { axis += tensor.dims.count }
    guard !scale.isEmpty, zero.count == scale.count,
      scale.count == 1 || (tensor.dims.indices.contains(axis) && tensor.dims[axis] == scale.count)
    else { throw node.refusal("has scales of another number than its values' axis") }
    let inner = scale.count == 1 ? 1 : tensor.dims[(axis + 1)...].reduce(1, *)
    for place in tensor.values.indices {
      let channel = scale.count == 1 ? 0 : place / inner % scale.count
      tensor.values[place] = (tensor.values[place] - zero[channel]) * scale[channel]
    }
    return tensor
  }

  private func matrix(
    _ node: ONNXNode, at index: Int, transposed: Bool
  ) throws(Refusal) -> LayerNetwork.Layer {
    let tensor = try constant(node, at: index)
    guard tensor.dims.count == 2, tensor.dims.allSatisfy({ (1...LayerNetwork.widthMax).contains($0) }) else {
      throw node.refusal("has weights of the shape \(tensor.dims)")
    }
    let (rows, columns) = (tensor.dims[0], tensor.dims[1])
    let (inputs, outputs) = transposed ? (columns, rows) : (rows, columns)
    var weights = tensor.values
    if transposed {
      for input in 0..<inputs {
        for output in 0..<outputs {
          weights[input * outputs + output] = tensor.values[output * inputs + input]
        }
      }
    }
    return LayerNetwork.Layer(
      inputs: inputs, outputs: outputs, weights: weights, bias: [Float](repeating: 0, count: outputs))
  }

  /// Bytes whose zero is their least value cut off what is below zero: quantisers leave the Relu before them out.
  private mutating func quantizeLinear(_ node: ONNXNode) throws(Refusal) {
    guard node.inputs.count > 2, !layers.isEmpty, !isFinished else { return }
    let zero = try constant(node, at: 2)
    guard let least = zero.byteMin, zero.values.allSatisfy({ $0 == least }) else { return }
    isRectified = true
  }

  private mutating func gemm(_ node: ONNXNode) throws(Refusal) {
    guard node.integer("transA", default: 0) == 0, node.inputs.first == current else {
      throw node.refusal("has its rows transposed")
    }
    var weights = try matrix(node, at: 1, transposed: node.integer("transB", default: 0) != 0)
    let (alpha, beta) = (node.number("alpha", default: 1), node.number("beta", default: 1))
    for place in weights.weights.indices { weights.weights[place] *= alpha }
    var bias: [Float]?
    if node.inputs.count > 2, !node.inputs[2].isEmpty {
      guard let values = try constant(node, at: 2).channels(weights.outputs) else {
        throw node.refusal("has biases of another number than its \(weights.outputs) outputs")
      }
      bias = values.map { $0 * beta }
    }
    try layer(node, weights: weights, bias: bias)
  }

  private mutating func layer(
    _ node: ONNXNode, weights: LayerNetwork.Layer, bias: [Float]?
  ) throws(Refusal) {
    var layer = weights
    layer.bias = bias ?? layer.bias
    guard layers.isEmpty || isRectified else {
      throw node.refusal("follows a layer without a Relu between them")
    }
    if let last = layers.last {
      guard last.outputs == layer.inputs else {
        throw node.refusal("takes \(layer.inputs) values, and \(last.outputs) come")
      }
    } else {
      try setFeatures(layer.inputs, node.place)
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

  private mutating func arithmetic(_ node: ONNXNode) throws(Refusal) {
    guard node.inputs.count == 2 else { throw node.refusal("has not two inputs") }
    let isFirst = node.inputs[0] == current
    guard isFirst || ["Add", "Mul"].contains(node.type) else {
      throw node.refusal("has the constant before the value")
    }
    let tensor = try constant(node, at: isFirst ? 1 : 0)
    guard
      let count = layers.last?.outputs ?? featureCount
        ?? (tensor.values.count > 1 ? tensor.values.count : nil),
      let values = tensor.channels(count)
    else { throw node.refusal("has \(tensor.values.count) constants, and another number of values") }
    let one = [Float](repeating: 1, count: count), zero = [Float](repeating: 0, count: count)
    switch node.type {
    case "Add": try affine(node, one, values)
    case "Sub": try affine(node, one, values.map { -$0 })
    case "Mul": try affine(node, values, zero)
    default: try affine(node, values.map { 1 / $0 }, zero)
    }
  }

  private mutating func batchNormalization(_ node: ONNXNode) throws(Refusal) {
    guard node.inputs.first == current else { throw node.refusal("has not the value first") }
    let scale = try constant(node, at: 1).values
    let (shift, mean) = (try constant(node, at: 2).values, try constant(node, at: 3).values)
    let variance = try constant(node, at: 4).values
    guard [shift.count, mean.count, variance.count].allSatisfy({ $0 == scale.count }),
      scale.count == layers.last?.outputs ?? featureCount ?? scale.count
    else { throw node.refusal("has constants of different numbers") }
    let epsilon = node.number("epsilon", default: 1e-5)
    let factors = scale.indices.map { scale[$0] / (variance[$0] + epsilon).squareRoot() }
    try affine(node, factors, scale.indices.map { shift[$0] - mean[$0] * factors[$0] })
  }

  /// Every value times a factor plus a shift, into whatever stands there.
  private mutating func affine(_ node: ONNXNode, _ factors: [Float], _ added: [Float]) throws(Refusal) {
    guard (factors + added).allSatisfy(\.isFinite) else {
      throw node.refusal("makes a number that is not finite")
    }
    func joined(_ scales: [Float]?, _ shifts: [Float]?) -> ([Float], [Float]) {
      let scales = scales ?? [Float](repeating: 1, count: factors.count)
      let shifts = shifts ?? [Float](repeating: 0, count: factors.count)
      return (zip(scales, factors).map(*), factors.indices.map { shifts[$0] * factors[$0] + added[$0] })
    }
    if layers.isEmpty {
      try setFeatures(factors.count, node.place)
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
}
