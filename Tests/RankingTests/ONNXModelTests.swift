import Base
import Testing

@testable import Ranking

@Suite("ONNX models")
struct ONNXModelTests {
  private func read(_ bytes: [UInt8]) throws -> LayerNetwork {
    try bytes.withUnsafeBytes { (bytes) throws in try ONNXModel.read(bytes, name: "m.onnx") }
  }

  private func value(_ network: LayerNetwork, _ row: [Float]) -> Float {
    network.activations(row, count: 1).last?.first ?? .nan
  }

  private var small: ONNXMaker {
    var maker = ONNXMaker()
    maker.tensor("w1", [2, 3], [1, 2, 3, 4, 5, 6])
    maker.tensor("b1", [3], [0.5, -100, 0])
    maker.tensor("w2", [3, 1], [1, 1, -1])
    maker.tensor("b2", [1], [10])
    maker.node("Gemm", ["x", "w1", "b1"], "g1")
    maker.node("Relu", ["g1"], "h1")
    maker.node("Gemm", ["h1", "w2", "b2"], "z")
    maker.node("Sigmoid", ["z"], "p")
    return maker
  }

  @Test("a chain of layers is read")
  func chain() throws {
    let network = try read(small.model)
    #expect(network.widths == [3, 1] && network.features == ["f0", "f1"] && network.link.form == .sigmoid)
    // Hidden: 1 + 8 + 0.5, below zero, 3 + 12.
    #expect(value(network, [1, 2]) == 9.5 - 15 + 10)
  }

  @Test(
    "MatMul and Add, transposed Gemm with alpha and beta, and constants before and after are the same layers")
  func forms() throws {
    var maker = ONNXMaker()
    maker.tensor("mean", [2], [1, -1])
    maker.tensor("deviation", [2], [2, 4])
    maker.tensor("w1", [2, 3], [1, 2, 3, 4, 5, 6])
    maker.tensor("b1", [3], [0.5, -100, 0])
    maker.tensor("half", [], [0.5])
    maker.tensor("gamma", [3], [2, 1, 1])
    maker.tensor("beta", [3], [0, 0, 3])
    maker.tensor("mu", [3], [1, 0, 0])
    maker.tensor("variance", [3], [3, 1, 1])
    maker.tensor("w2", [1, 3], [2, 2, -2])
    maker.tensor("b2", [1], [5])
    maker.node("Sub", ["x", "mean"], "x1")
    maker.node("Div", ["x1", "deviation"], "x2")
    maker.node("MatMul", ["x2", "w1"], "m1")
    maker.node("Add", ["b1", "m1"], "g1")
    maker.node("BatchNormalization", ["g1", "gamma", "beta", "mu", "variance"], "n1", floats: ["epsilon": 1])
    maker.node("Relu", ["n1"], "h1")
    maker.node("Mul", ["h1", "half"], "h2")
    maker.node("Gemm", ["h2", "w2", "b2"], "p", numbers: ["transB": 1], floats: ["alpha": 0.5, "beta": 2])
    let network = try read(maker.model)
    #expect(network.link.form == .identity && network.fills == [1, -1])
    let x: [Float] = [(3 - 1) / 2, (7 + 1) / 4]
    let g = [x[0] + 4 * x[1] + 0.5, 2 * x[0] + 5 * x[1] - 100, 3 * x[0] + 6 * x[1]]
    let root = Float(2).squareRoot()
    let n = [(g[0] - 1), g[1] / root, g[2] / root + 3]
    let h = n.map { max(0, $0) * 0.5 }
    #expect(abs(value(network, [3, 7]) - (h[0] + h[1] - h[2] + 10)) < 1e-5)
  }

  @Test("weights in bytes are read as the floats that they stand for, and a range from zero as a Relu")
  func quantised() throws {
    var maker = ONNXMaker()
    maker.bytesTensor("w1", [2, 2], [10, -20, 30, 40])
    maker.tensor("s1", [2], [0.5, 0.25])
    maker.bytesTensor("z1", [2], [0, 0])
    maker.tensor("s", [], [0.1])
    maker.bytesTensor("zu", [], [0], type: 2)
    maker.tensor("w2", [2, 1], [1, 1])
    maker.node("DequantizeLinear", ["w1", "s1", "z1"], "w1f", numbers: ["axis": 1])
    maker.node("QuantizeLinear", ["x", "s", "zu"], "xq")
    maker.node("DequantizeLinear", ["xq", "s", "zu"], "xd")
    maker.node("MatMul", ["xd", "w1f"], "g1")
    maker.node("QuantizeLinear", ["g1", "s", "zu"], "gq")
    maker.node("DequantizeLinear", ["gq", "s", "zu"], "gd")
    maker.node("MatMul", ["gd", "w2"], "p")
    let network = try read(maker.model)
    #expect(network.layers[0].weights == [5, -5, 15, 10])
    #expect(value(network, [1, 0]) == 5)
  }

  @Test("what is no chain of dense layers is refused, and says what and where")
  func refusals() {
    let changes: [(String, (inout ONNXMaker) -> Void)] = [
      ("Conv", { $0.node("Conv", ["p"], "q") }),
      ("q", { $0.output = "q" }),
      ("input", { $0.input = "w1" }),
      ("features", { $0.features = 5 }),
      (
        "Relu",
        { maker in
          maker.tensor("w3", [1, 1], [1])
          maker.node("Gemm", ["z", "w3"], "p")
        }
      ),
      ("initializer", { $0.tensor("bad", [3], [1]) }),
      ("initializer", { $0.tensor("bad", [1], [.nan]) }),
      ("initializer", { $0.tensor("bad", [1 << 40], []) }),
    ]
    for (says, change) in changes {
      var maker = small
      change(&maker)
      do {
        _ = try read(maker.model)
        Issue.record("\(says) was taken")
      } catch let refusal as Refusal {
        #expect(refusal.place.hasPrefix("m.onnx"), "\(refusal)")
      } catch { Issue.record("\(error)") }
    }
  }

  @Test("constants that nodes repeat beyond all measure are refused at the node that goes too far")
  func repeatedConstants() throws {
    var maker = small
    maker.tensor("scale", [], [1])
    for number in 0..<20 { maker.node("DequantizeLinear", ["w1", "scale"], "copy \(number)") }
    let bytes = maker.model
    #expect(try read(bytes).widths == [3, 1])
    do {
      _ = try bytes.withUnsafeBytes { (bytes) throws in
        try ONNXModel.read(bytes, name: "m.onnx", valueCountMax: 14 + 19 * 6)
      }
      Issue.record("it was taken")
    } catch let refusal as Refusal {
      #expect(
        refusal.code == .limitExceeded && refusal.place.contains("node 23, DequantizeLinear"), "\(refusal)")
    }
  }

  @Test("a file that ends early or is damaged is refused or read, never more")
  func damaged() throws {
    let whole = small.model
    var refused = 0
    for count in 0..<whole.count {
      do { _ = try read(Array(whole.prefix(count))) } catch { refused += 1 }
    }
    // The last bytes are the operators' version, which nothing hangs on.
    #expect(refused >= whole.count - 8)
    var random = SplitMix(seed: 91)
    for _ in 0..<3000 {
      var bytes = whole
      for _ in 0..<Int.random(in: 1...4, using: &random) {
        bytes[Int.random(in: 0..<bytes.count, using: &random)] = UInt8.random(in: 0...255, using: &random)
      }
      do {
        let network = try read(bytes)
        #expect(network.widths.last == 1)
      } catch let refusal as Refusal {
        #expect(refusal.place.hasPrefix("m.onnx"))
      }
    }
  }

  @Test("truncation is told at its byte")
  func places() {
    let whole = small.model
    do {
      _ = try read(Array(whole.prefix(40)))
      Issue.record("a cut file was taken")
    } catch let refusal as Refusal {
      #expect(refusal.code == .truncated && refusal.place == "m.onnx byte 11 (graph)", "\(refusal)")
    } catch { Issue.record("\(error)") }
  }
}
