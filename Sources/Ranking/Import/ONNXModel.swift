package import Base
internal import CMessages
internal import CProtobufC

/// Reads ONNX models of one chain of dense layers: Gemm or MatMul and Add, Relu between them, Sigmoid at the end.
///
/// Sub, Add, Mul and Div with constants and BatchNormalization are folded into the layers, those before the first layer
/// into the features' normalisation. Quantised models (QDQ) are read as the floats that their weights stand for.
package enum ONNXModel {
  package static let byteCountMax = 256 << 20

  /// - Parameter name: of the file, for refusals.
  package static func read(_ bytes: UnsafeRawBufferPointer, name: String) throws(Refusal) -> LayerNetwork {
    guard bytes.count <= byteCountMax else {
      throw Refusal(.limitExceeded, at: name, "has \(bytes.count) bytes, more than \(byteCountMax)")
    }
    try ONNXWalk.check(bytes, name: name)
    guard
      let model = marquee__onnx__model__unpack(
        nil, bytes.count, bytes.baseAddress?.assumingMemoryBound(to: UInt8.self))
    else { throw Refusal(.malformed, at: "\(name) byte 0", "is not protobuf of an ONNX model") }
    defer { marquee__onnx__model__free_unpacked(model, nil) }
    guard let graph = model.pointee.graph else {
      throw Refusal(.malformed, at: "\(name) (graph)", "is missing: is it an ONNX model?")
    }
    return try ONNXGraph(graph.pointee, name: name).network()
  }
}

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
