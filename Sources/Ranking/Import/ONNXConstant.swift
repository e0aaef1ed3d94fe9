internal import Base
internal import CMessages

/// A constant of a graph, as floats.
struct ONNXConstant {
  var dims: [Int]
  var values: [Float]
  /// Of bytes: the least that one can be, 0 or -128.
  var byteMin: Float?

  static let valueCountMax = LayerNetwork.widthMax * LayerNetwork.widthMax

  init(dims: [Int], values: [Float]) {
    self.dims = dims
    self.values = values
  }

  init(_ tensor: Marquee__Onnx__Tensor, place: String) throws(Refusal) {
    var count = 1
    dims = []
    for index in 0..<tensor.n_dims {
      let side = tensor.dims[index]
      guard dims.count < 4, side >= 0, side <= Int64(Self.valueCountMax),
        count * Int(side) <= Self.valueCountMax
      else {
        throw Refusal(.limitExceeded, at: place, "has a side of \(side), or too many values")
      }
      dims.append(Int(side))
      count *= Int(side)
    }
    guard tensor.data_location == 0 else {
      throw Refusal(.malformed, at: place, "keeps its values in another file: save the model as one file")
    }
    guard let values = Self.values(tensor, count: count) else {
      throw Refusal(
        .malformed, at: place,
        "has not the \(count) values of its shape, or a type other than float, double and bytes")
    }
    guard values.allSatisfy(\.isFinite) else {
      throw Refusal(.malformed, at: place, "has a value that is not finite")
    }
    self.values = values
    byteMin = tensor.data_type == 2 ? 0 : tensor.data_type == 3 ? -128 : nil
  }

  private static func values(_ tensor: Marquee__Onnx__Tensor, count: Int) -> [Float]? {
    let raw = UnsafeRawBufferPointer(start: tensor.raw_data.data, count: tensor.raw_data.len)
    // Numbers of types as ONNX's TensorProto has them.
    switch tensor.data_type {
    case 1:
      if tensor.n_float_data > 0 {
        return tensor.n_float_data == count ? (0..<count).map { tensor.float_data[$0] } : nil
      }
      return elements(raw, count, of: UInt32.self) { Float(bitPattern: $0) }
    case 11: return elements(raw, count, of: UInt64.self) { Float(Double(bitPattern: $0)) }
    case 2, 3, 6:
      if tensor.n_int32_data > 0 {
        return tensor.n_int32_data == count ? (0..<count).map { Float(tensor.int32_data[$0]) } : nil
      }
      return tensor.data_type == 2
        ? elements(raw, count, of: UInt8.self) { Float($0) }
        : tensor.data_type == 3
          ? elements(raw, count, of: UInt8.self) { Float(Int8(bitPattern: $0)) }
          : elements(raw, count, of: UInt32.self) { Float(Int32(bitPattern: $0)) }
    case 7:
      if tensor.n_int64_data > 0 {
        return tensor.n_int64_data == count ? (0..<count).map { Float(tensor.int64_data[$0]) } : nil
      }
      return elements(raw, count, of: UInt64.self) { Float(Int64(bitPattern: $0)) }
    default: return nil
    }
  }

  private static func elements<Element: FixedWidthInteger & BitwiseCopyable>(
    _ raw: UnsafeRawBufferPointer, _ count: Int, of type: Element.Type, _ make: (Element) -> Float
  ) -> [Float]? {
    let width = MemoryLayout<Element>.stride
    guard raw.count == count * width else { return nil }
    return (0..<count).map {
      make(Element(littleEndian: raw.loadUnaligned(fromByteOffset: $0 * width, as: Element.self)))
    }
  }

  /// The values for `count` channels, one for all of them repeated; `nil` for another number.
  func channels(_ count: Int) -> [Float]? {
    if values.count == count { return values }
    return values.count == 1 ? [Float](repeating: values[0], count: count) : nil
  }
}

/// The constants of a graph by their names: initializers, and what nodes of constants alone make of them.
struct ONNXConstants {
  private var byName: [String: ONNXConstant] = [:]
  private var valuesLeft: Int

  /// Values of all constants: 256 MB. A node of a few bytes can repeat a whole tensor.
  static let valueCountMax = 1 << 26

  init(_ graph: Marquee__Onnx__Graph, name: String, valueCountMax: Int) throws(Refusal) {
    valuesLeft = valueCountMax
    for index in 0..<graph.n_initializer {
      guard let tensor = graph.initializer[index]?.pointee else { continue }
      let tensorName = ONNXGraph.text(tensor.name)
      let place = "\(name) (initializer \(tensorName.excerpt))"
      try keep(try ONNXConstant(tensor, place: place), as: tensorName, place: place)
    }
  }

  subscript(name: String) -> ONNXConstant? { byName[name] }

  /// The constant that is a node's input.
  func input(_ index: Int, of node: ONNXNode) throws(Refusal) -> ONNXConstant {
    guard index < node.inputs.count, let constant = byName[node.inputs[index]] else {
      throw node.refusal("has an input \(index) that is no constant of the model")
    }
    return constant
  }

  /// Takes a node that makes a constant: one in the graph, one of another name, or weights in bytes. False for others.
  mutating func take(_ node: ONNXNode) throws(Refusal) -> Bool {
    guard node.outputs.count == 1 else { return false }
    switch node.type {
    case "Constant":
      guard let tensor = node.tensor("value") else { throw node.refusal("has no tensor") }
      try keep(try ONNXConstant(tensor, place: node.place), as: node.outputs[0], place: node.place)
    case "DequantizeLinear" where node.inputs.first.map { byName[$0] != nil } ?? false:
      try keep(try dequantised(node), as: node.outputs[0], place: node.place)
    case "Identity", "Cast":
      guard let input = node.inputs.first, let constant = byName[input] else { return false }
      byName[node.outputs[0]] = constant
    default: return false
    }
    return true
  }

  private mutating func keep(_ constant: ONNXConstant, as name: String, place: String) throws(Refusal) {
    valuesLeft -= constant.values.count
    guard valuesLeft >= 0 else {
      throw Refusal(
        .limitExceeded, at: place, "is one constant too many: \(Self.valueCountMax) values can be kept")
    }
    byName[name] = constant
  }

  private func dequantised(_ node: ONNXNode) throws(Refusal) -> ONNXConstant {
    var tensor = try input(0, of: node)
    let scale = try input(1, of: node).values
    let zero =
      node.inputs.count > 2 ? try input(2, of: node).values : [Float](repeating: 0, count: scale.count)
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
}
