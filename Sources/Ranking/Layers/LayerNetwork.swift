internal import CKernels

/// A network of dense layers as importers and the quantiser hold it: plain arrays.
///
/// Hidden layers end in a rectifier, the last has one output and ends in nothing; what its value stands for is the link.
package struct LayerNetwork: Sendable, Equatable {
  package struct Layer: Sendable, Equatable {
    package var inputs: Int
    package var outputs: Int
    /// Inputs × outputs, row-major.
    package var weights: [Float]
    package var bias: [Float]
  }

  package var features: [String]
  /// A feature enters as `value * scale + shift`.
  package var scales: [Float]
  package var shifts: [Float]
  /// What takes the place of a value that isn't there.
  package var fills: [Float]
  /// How far normalised values are let from zero; infinite where they aren't held.
  package var reach: Float
  package var layers: [Layer]
  package var link: ScoreLink

  package var widths: [Int] { layers.map(\.outputs) }

  package static let featureCountMax = 1024
  package static let layerCountMax = 5
  package static let widthMax = 4096

  /// Values after each layer, of `count` rows: rectified, except those of the last.
  package func activations(_ rows: [Float], count: Int) -> [[Float]] {
    // As segments have it: infinite values would meet their opposites in the sums, and be numbers no more.
    let reach = min(reach, .greatestFiniteMagnitude)
    var x = [Float](repeating: 0, count: count * features.count)
    for row in 0..<count {
      for feature in features.indices {
        let place = row * features.count + feature
        let value = rows[place].isNaN ? fills[feature] : rows[place]
        x[place] = max(-reach, min(reach, value * scales[feature] + shifts[feature]))
      }
    }
    var all: [[Float]] = []
    for (index, layer) in layers.enumerated() {
      x = Self.product(x, rows: count, layer, relu: index < layers.count - 1)
      all.append(x)
    }
    return all
  }

  /// Weights from panels of 16 outputs back into rows.
  static func unpacked(_ panels: UnsafePointer<Float>, inputs: Int, outputs: Int) -> [Float] {
    let panel = Int(MK_PANEL)
    return (0..<inputs * outputs).map { place in
      let (input, output) = (place / outputs, place % outputs)
      return panels[output / panel * panel * inputs + input * panel + output % panel]
    }
  }

  private static func product(_ x: [Float], rows: Int, _ layer: Layer, relu: Bool) -> [Float] {
    let width = (layer.outputs + Int(MK_PANEL) - 1) / Int(MK_PANEL) * Int(MK_PANEL)
    var panels = [Float](repeating: 0, count: layer.inputs * width)
    mk_pack(layer.weights, layer.outputs, layer.inputs, layer.outputs, &panels)
    let bias = layer.bias + [Float](repeating: 0, count: width - layer.outputs)
    var out = [Float](repeating: 0, count: rows * layer.outputs)
    mk_active().pointee.dense(
      x, layer.inputs, rows, layer.inputs, panels, bias, layer.outputs, relu ? 1 : 0, &out, layer.outputs)
    return out
  }
}
