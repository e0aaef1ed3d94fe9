internal import Base
internal import CMessages

/// One operator of a graph, with its names as strings.
struct ONNXNode {
  let type: String
  let domain: String
  let inputs: [String]
  let outputs: [String]
  let place: String
  private let node: Marquee__Onnx__Node

  init(_ node: Marquee__Onnx__Node, place: String) {
    self.node = node
    self.place = place
    type = ONNXGraph.text(node.op_type)
    domain = ONNXGraph.text(node.domain)
    inputs = (0..<node.n_input).map { ONNXGraph.text(node.input[$0]) }
    outputs = (0..<node.n_output).map { ONNXGraph.text(node.output[$0]) }
  }

  func refusal(_ message: String) -> Refusal { Refusal(.malformed, at: place, message) }

  private func attribute(_ name: String) -> Marquee__Onnx__Attribute? {
    (0..<node.n_attribute).lazy.compactMap { node.attribute[$0]?.pointee }
      .first { ONNXGraph.text($0.name) == name }
  }

  func integer(_ name: String, default value: Int) -> Int {
    attribute(name).map { Int(clamping: $0.i) } ?? value
  }

  func number(_ name: String, default value: Float) -> Float { attribute(name)?.f ?? value }

  func tensor(_ name: String) -> Marquee__Onnx__Tensor? { attribute(name)?.t?.pointee }
}
