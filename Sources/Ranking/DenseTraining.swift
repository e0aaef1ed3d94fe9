internal import Base
internal import CKernels

/// One dense layer while it is trained: weights, the gradient of a batch, and Adam's moments.
///
/// The three products of a step (forward, to the inputs, to the weights) all go through the one dense kernel, with
/// their operands packed for each batch: packing is linear where the products are cubic.
struct DenseTraining {
  let inputs: Int
  let outputs: Int
  private(set) var weights: [Float]
  private(set) var bias: [Float]
  private var weightMoments: AdamMoments
  private var biasMoments: AdamMoments
  private var weightGradient: [Float]
  private var biasGradient: [Float]

  /// Weights by He's rule for rectifiers (He et al. 2015), uniform; biases zero.
  init(inputs: Int, outputs: Int, random: inout SplitMix) {
    self.inputs = inputs
    self.outputs = outputs
    let reach = (6 / Float(inputs)).squareRoot()
    weights = (0..<inputs * outputs).map { _ in Float.random(in: -reach...reach, using: &random) }
    bias = [Float](repeating: 0, count: outputs)
    weightMoments = AdamMoments(count: weights.count)
    biasMoments = AdamMoments(count: outputs)
    weightGradient = [Float](repeating: 0, count: weights.count)
    biasGradient = bias
  }

  /// `x` has `rows` × `inputs`; returns `rows` × `outputs`, rectified unless it is the last layer.
  func forward(_ x: [Float], rows: Int, isLast: Bool) -> [Float] {
    Self.product(
      x, rows: rows, inputs: inputs, columns: outputs, bias: bias, relu: !isLast,
      panels: Self.packed(weights, stride: outputs, inputs: inputs, columns: outputs))
  }

  /// Takes the gradient of the outputs, sets that of the weights, and returns that of the inputs if it is `wanted`.
  mutating func backward(_ gradient: [Float], x: [Float], rows: Int, wanted: Bool) -> [Float] {
    var turned = [Float](repeating: 0, count: x.count)
    for row in 0..<rows {
      for input in 0..<inputs { turned[input * rows + row] = x[row * inputs + input] }
    }
    weightGradient = Self.product(
      turned, rows: inputs, inputs: rows, columns: outputs, bias: [], relu: false,
      panels: Self.packed(gradient, stride: outputs, inputs: rows, columns: outputs))
    for output in 0..<outputs { biasGradient[output] = 0 }
    for row in 0..<rows {
      for output in 0..<outputs { biasGradient[output] += gradient[row * outputs + output] }
    }
    guard wanted else { return [] }
    var panels = [Float](repeating: 0, count: outputs * Self.padded(inputs))
    mk_pack_transposed(weights, outputs, outputs, inputs, &panels)
    return Self.product(
      gradient, rows: rows, inputs: outputs, columns: inputs, bias: [], relu: false, panels: panels)
  }

  mutating func step(_ adam: AdamStep) {
    weightMoments.step(adam, gradient: weightGradient, values: &weights, decays: true)
    biasMoments.step(adam, gradient: biasGradient, values: &bias, decays: false)
  }

  private static func padded(_ columns: Int) -> Int {
    (columns + Int(MK_PANEL) - 1) / Int(MK_PANEL) * Int(MK_PANEL)
  }

  private static func packed(_ values: [Float], stride: Int, inputs: Int, columns: Int) -> [Float] {
    var panels = [Float](repeating: 0, count: inputs * padded(columns))
    mk_pack(values, stride, inputs, columns, &panels)
    return panels
  }

  private static func product(
    _ x: [Float], rows: Int, inputs: Int, columns: Int, bias: [Float], relu: Bool, panels: [Float]
  ) -> [Float] {
    let paddedBias = bias + [Float](repeating: 0, count: padded(columns) - bias.count)
    var out = [Float](repeating: 0, count: rows * columns)
    mk_active().pointee.dense(
      x, inputs, rows, inputs, panels, paddedBias, columns, relu ? 1 : 0, &out, columns)
    return out
  }
}

/// The numbers of one step of Adam (Kingma and Ba 2015, with decoupled decay as Loshchilov and Hutter 2019).
struct AdamStep {
  var rate: Float
  var decay: Float
  /// Powers of both decay rates so far, which undo the bias of the first steps.
  private(set) var firstPower: Float = 1
  private(set) var secondPower: Float = 1

  static let firstDecay: Float = 0.9
  static let secondDecay: Float = 0.999

  init(rate: Float, decay: Float) {
    self.rate = rate
    self.decay = decay
  }

  mutating func advance() {
    firstPower *= Self.firstDecay
    secondPower *= Self.secondDecay
  }
}

struct AdamMoments {
  private var first: [Float]
  private var second: [Float]

  init(count: Int) {
    first = [Float](repeating: 0, count: count)
    second = first
  }

  mutating func step(_ adam: AdamStep, gradient: [Float], values: inout [Float], decays: Bool) {
    let firstShare = 1 / (1 - adam.firstPower)
    let secondShare = 1 / (1 - adam.secondPower)
    let kept = decays ? 1 - adam.rate * adam.decay : 1
    for index in values.indices {
      let slope = gradient[index]
      first[index] += (1 - AdamStep.firstDecay) * (slope - first[index])
      second[index] += (1 - AdamStep.secondDecay) * (slope * slope - second[index])
      let step = first[index] * firstShare / ((second[index] * secondShare).squareRoot() + 1e-8)
      values[index] = values[index] * kept - adam.rate * step
    }
  }
}
