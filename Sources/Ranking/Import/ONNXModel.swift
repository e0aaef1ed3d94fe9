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
    try read(bytes, name: name, valueCountMax: ONNXConstants.valueCountMax)
  }

  /// - Parameter valueCountMax: values of all constants, those that nodes make counted.
  static func read(
    _ bytes: UnsafeRawBufferPointer, name: String, valueCountMax: Int
  ) throws(Refusal) -> LayerNetwork {
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
    var chain = try ONNXGraph(graph.pointee, name: name, valueCountMax: valueCountMax)
    return try chain.network()
  }
}
