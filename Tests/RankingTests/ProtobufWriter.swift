/// Writes ONNX's messages by hand, so that tests of the importer owe nothing to the importer's schema.
struct ProtobufWriter {
  private(set) var bytes: [UInt8] = []

  private mutating func varint(_ value: UInt64) {
    var value = value
    while value >= 0x80 {
      bytes.append(UInt8(value & 0x7f) | 0x80)
      value >>= 7
    }
    bytes.append(UInt8(value))
  }

  mutating func number(_ field: UInt64, _ value: Int) {
    varint(field << 3)
    varint(UInt64(bitPattern: Int64(value)))
  }

  mutating func float(_ field: UInt64, _ value: Float) {
    varint(field << 3 | 5)
    withUnsafeBytes(of: value.bitPattern.littleEndian) { bytes += Array($0) }
  }

  mutating func bytes(_ field: UInt64, _ value: [UInt8]) {
    varint(field << 3 | 2)
    varint(UInt64(value.count))
    bytes += value
  }

  mutating func text(_ field: UInt64, _ value: String) { bytes(field, Array(value.utf8)) }

  mutating func message(_ field: UInt64, _ write: (inout ProtobufWriter) -> Void) {
    var inner = ProtobufWriter()
    write(&inner)
    bytes(field, inner.bytes)
  }
}

/// An ONNX graph in the making.
struct ONNXMaker {
  private var nodes: [[UInt8]] = []
  private var tensors: [[UInt8]] = []
  var input = "x"
  var output = "p"
  var features = 2

  mutating func node(
    _ type: String, _ inputs: [String], _ output: String, numbers: [String: Int] = [:],
    floats: [String: Float] = [:]
  ) {
    var node = ProtobufWriter()
    for name in inputs { node.text(1, name) }
    node.text(2, output)
    node.text(4, type)
    for (name, value) in numbers.sorted(by: { $0.key < $1.key }) {
      node.message(5) {
        $0.text(1, name)
        $0.number(3, value)
      }
    }
    for (name, value) in floats.sorted(by: { $0.key < $1.key }) {
      node.message(5) {
        $0.text(1, name)
        $0.float(2, value)
      }
    }
    nodes.append(node.bytes)
  }

  mutating func tensor(_ name: String, _ dims: [Int], _ values: [Float]) {
    var tensor = ProtobufWriter()
    for side in dims { tensor.number(1, side) }
    tensor.number(2, 1)
    tensor.text(8, name)
    tensor.bytes(9, values.withUnsafeBytes { Array($0) })
    tensors.append(tensor.bytes)
  }

  mutating func bytesTensor(_ name: String, _ dims: [Int], _ values: [Int8], type: Int = 3) {
    var tensor = ProtobufWriter()
    for side in dims { tensor.number(1, side) }
    tensor.number(2, type)
    tensor.text(8, name)
    tensor.bytes(9, values.map { UInt8(bitPattern: $0) })
    tensors.append(tensor.bytes)
  }

  var model: [UInt8] {
    var model = ProtobufWriter()
    model.number(1, 8)
    model.text(2, "test")
    model.message(7) { graph in
      for node in nodes { graph.bytes(1, node) }
      for tensor in tensors { graph.bytes(5, tensor) }
      graph.message(11) {
        $0.text(1, input)
        $0.message(2) {
          $0.message(1) {
            $0.message(2) { shape in
              shape.message(1) { $0.text(2, "batch") }
              shape.message(1) { $0.number(1, features) }
            }
          }
        }
      }
      graph.message(12) { $0.text(1, output) }
    }
    model.message(8) { $0.number(2, 17) }
    return model.bytes
  }
}
