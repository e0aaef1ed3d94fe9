internal import Base
internal import CMessages

/// One chain of operators, followed from the input to the output.
struct ONNXGraph {
  private let graph: Marquee__Onnx__Graph
  private let name: String
  private var constants: ONNXConstants
  private var chain = ONNXChain()
  /// The value that the chain has come to.
  private var current = ""

  init(_ graph: Marquee__Onnx__Graph, name: String, valueCountMax: Int) throws(Refusal) {
    self.graph = graph
    self.name = name
    constants = try ONNXConstants(graph, name: name, valueCountMax: valueCountMax)
  }

  mutating func network() throws(Refusal) -> LayerNetwork {
    try findInput()
    for index in 0..<graph.n_node {
      guard let node = graph.node[index]?.pointee else { continue }
      let step = ONNXNode(node, place: "\(name) (node \(index), \(Self.text(node.op_type).excerpt))")
      try take(step)
    }
    guard graph.n_output == 1, let output = graph.output[0], Self.text(output.pointee.name) == current else {
      throw Refusal(
        .malformed, at: "\(name) (output)", "is not the one value at the end of the chain: export one output")
    }
    return try chain.network(name: name)
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
    try chain.setFeatures(Int(clamping: side), place: "\(name) (input)")
  }

  static func text(_ pointer: UnsafePointer<CChar>?) -> String { pointer.map { String(cString: $0) } ?? "" }

  // MARK: Operators

  private mutating func take(_ node: ONNXNode) throws(Refusal) {
    guard node.domain.isEmpty || node.domain == "ai.onnx" else {
      throw node.refusal(
        "is of the domain \(node.domain.excerpt): export the model in ONNX's own operators, quantised as QDQ"
      )
    }
    if try constants.take(node) { return }
    guard node.outputs.count >= 1, node.inputs.contains(current) else {
      throw node.refusal(
        "does not take up \(current.excerpt): only a chain of dense layers can be imported")
    }
    guard
      !chain.isFinished
        || ["Identity", "Squeeze", "Flatten", "QuantizeLinear", "DequantizeLinear"].contains(node.type)
    else { throw node.refusal("comes after the Sigmoid, which ends a ranker") }
    switch node.type {
    case "Gemm": try gemm(node)
    case "MatMul": try chain.append(try matrix(node, at: 1, transposed: false), node)
    case "Add", "Sub", "Mul", "Div": try arithmetic(node)
    case "BatchNormalization": try batchNormalization(node)
    case "Relu":
      guard !chain.layers.isEmpty, !chain.isRectified else { throw node.refusal("does not follow a layer") }
      chain.rectify()
    case "Sigmoid":
      guard chain.layers.last?.outputs == 1, !chain.isRectified else {
        throw node.refusal("is not the end of a layer of one output: hidden layers end in Relu")
      }
      chain.finish()
    case "QuantizeLinear": try quantizeLinear(node)
    case "Identity", "Dropout", "Flatten", "Squeeze", "DequantizeLinear", "Cast": break
    default:
      throw node.refusal(
        "is no operator that can be imported: Gemm, MatMul, Add, Sub, Mul, Div, Relu, Sigmoid, BatchNormalization"
      )
    }
    current = node.outputs[0]
  }

  private func matrix(
    _ node: ONNXNode, at index: Int, transposed: Bool
  ) throws(Refusal) -> LayerNetwork.Layer {
    let tensor = try constants.input(index, of: node)
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
    guard node.inputs.count > 2, !chain.layers.isEmpty, !chain.isFinished else { return }
    let zero = try constants.input(2, of: node)
    guard let least = zero.byteMin, zero.values.allSatisfy({ $0 == least }) else { return }
    chain.rectify()
  }

  private mutating func gemm(_ node: ONNXNode) throws(Refusal) {
    guard node.integer("transA", default: 0) == 0, node.inputs.first == current else {
      throw node.refusal("has its rows transposed")
    }
    var weights = try matrix(node, at: 1, transposed: node.integer("transB", default: 0) != 0)
    let (alpha, beta) = (node.number("alpha", default: 1), node.number("beta", default: 1))
    for place in weights.weights.indices { weights.weights[place] *= alpha }
    if node.inputs.count > 2, !node.inputs[2].isEmpty {
      guard let values = try constants.input(2, of: node).channels(weights.outputs) else {
        throw node.refusal("has biases of another number than its \(weights.outputs) outputs")
      }
      weights.bias = values.map { $0 * beta }
    }
    try chain.append(weights, node)
  }

  private mutating func arithmetic(_ node: ONNXNode) throws(Refusal) {
    guard node.inputs.count == 2 else { throw node.refusal("has not two inputs") }
    let isFirst = node.inputs[0] == current
    guard isFirst || ["Add", "Mul"].contains(node.type) else {
      throw node.refusal("has the constant before the value")
    }
    let tensor = try constants.input(isFirst ? 1 : 0, of: node)
    guard
      let count = chain.width ?? (tensor.values.count > 1 ? tensor.values.count : nil),
      let values = tensor.channels(count)
    else { throw node.refusal("has \(tensor.values.count) constants, and another number of values") }
    let one = [Float](repeating: 1, count: count), zero = [Float](repeating: 0, count: count)
    switch node.type {
    case "Add": try chain.apply(factors: one, shifts: values, node)
    case "Sub": try chain.apply(factors: one, shifts: values.map { -$0 }, node)
    case "Mul": try chain.apply(factors: values, shifts: zero, node)
    default: try chain.apply(factors: values.map { 1 / $0 }, shifts: zero, node)
    }
  }

  private mutating func batchNormalization(_ node: ONNXNode) throws(Refusal) {
    guard node.inputs.first == current else { throw node.refusal("has not the value first") }
    let scale = try constants.input(1, of: node).values
    let (shift, mean) = (try constants.input(2, of: node).values, try constants.input(3, of: node).values)
    let variance = try constants.input(4, of: node).values
    guard [shift.count, mean.count, variance.count].allSatisfy({ $0 == scale.count }),
      scale.count == chain.width ?? scale.count
    else { throw node.refusal("has constants of different numbers") }
    let epsilon = node.number("epsilon", default: 1e-5)
    let factors = scale.indices.map { scale[$0] / (variance[$0] + epsilon).squareRoot() }
    try chain.apply(factors: factors, shifts: scale.indices.map { shift[$0] - mean[$0] * factors[$0] }, node)
  }
}
