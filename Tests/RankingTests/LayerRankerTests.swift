import Base
import CKernels
import Glibc
import Testing

@testable import Ranking

@Suite("Layer ranker")
struct LayerRankerTests {
  private func network(_ widths: [Int], features: Int, seed: UInt64 = 1) -> LayerNetwork {
    var random = SplitMix(seed: seed)
    let some = { (count: Int, most: Float) in
      (0..<count).map { _ in Float.random(in: -most...most, using: &random) }
    }
    let layers = zip([features] + widths, widths).map { inputs, outputs in
      LayerNetwork.Layer(
        inputs: inputs, outputs: outputs, weights: some(inputs * outputs, 1.5 / Float(inputs).squareRoot()),
        bias: some(outputs, 0.3))
    }
    return LayerNetwork(
      features: (0..<features).map { "feature \($0)" }, scales: some(features, 1).map { abs($0) + 0.5 },
      shifts: some(features, 1), fills: some(features, 1), reach: .infinity, layers: layers,
      link: ScoreLink(.sigmoid))
  }

  private func rows(_ count: Int, features: Int, seed: UInt64 = 2) -> [Float] {
    var random = SplitMix(seed: seed)
    return (0..<count * features).map { _ in
      // The sum of three is more like what features are than one.
      (0..<3).reduce(Float(0)) { sum, _ in sum + Float.random(in: -1...1, using: &random) }
    }
  }

  private func scores(_ ranker: any Ranker, _ rows: [Float]) -> [Float] {
    rows.withUnsafeBufferPointer {
      logits(ranker, $0, count: rows.count / ranker.features.count, scratch: RankerScratch())
    }
  }

  /// The network in double precision, written out.
  private func plain(_ network: LayerNetwork, _ row: ArraySlice<Float>) -> Double {
    var x = zip(row, network.features.indices).map { value, feature in
      let value = value.isNaN ? network.fills[feature] : value
      return Double(value) * Double(network.scales[feature]) + Double(network.shifts[feature])
    }
    for (index, layer) in network.layers.enumerated() {
      x = (0..<layer.outputs).map { output in
        let sum = (0..<layer.inputs).reduce(Double(layer.bias[output])) {
          $0 + x[$1] * Double(layer.weights[$1 * layer.outputs + output])
        }
        return index == network.layers.count - 1 ? sum : max(0, sum)
      }
    }
    return x[0]
  }

  @Test(
    "floats score as the layers written out",
    arguments: [[1], [16, 1], [33, 7, 1], [64, 32, 1], [5, 5, 5, 5, 1]])
  func floats(widths: [Int]) throws {
    let path = try temporaryFile()
    defer { unlink(path) }
    for features in [1, 10, 64] {
      let network = network(widths, features: features)
      try LayerRanker.write(network, to: path)
      let ranker = try LayerRanker(opening: MappedBytes(path: path), name: "ranker")
      #expect(ranker.network == network && ranker.loss == nil)
      for count in [0, 1, 119, 120, 121, 250] {
        var rows = rows(count, features: features)
        if count > 1 { rows[features] = .nan }
        let found = scores(ranker, rows)
        for row in 0..<count {
          let expected = plain(network, rows[row * features..<(row + 1) * features])
          #expect(abs(Double(found[row]) - expected) < 1e-4)
        }
      }
    }
  }

  @Test(
    "bytes rank nearly as floats do, and say how nearly",
    arguments: [[16, 1], [33, 7, 1], [64, 32, 1], [20, 20, 20, 20, 1], [1]])
  func bytes(widths: [Int]) throws {
    let (floatPath, path) = (try temporaryFile(), try temporaryFile())
    defer {
      unlink(floatPath)
      unlink(path)
    }
    for features in [7, 64] {
      try LayerRanker.write(network(widths, features: features), to: floatPath)
      let floats = try RankerSegment.open(MappedBytes(path: floatPath), name: "floats")
      let rows = rows(2000, features: features)
      let loss = try Quantiser().run(floats, rows: rows, groups: nil, to: path, disk: SystemDisk())
      let ranker = try LayerRanker(opening: MappedBytes(path: path), name: "ranker")
      #expect(ranker.isQuantised && ranker.loss == loss && ranker.network == nil)
      #expect(loss.ndcg10 < 0.02 && loss.kendallTau > 0.95 && loss.rowCount == 2000 && loss.groupCount == 20)
      let (found, expected) = (scores(ranker, rows), scores(floats, rows))
      let spread = (expected.max() ?? 0) - (expected.min() ?? 0)
      #expect(zip(found, expected).allSatisfy { abs($0 - $1) < spread * 0.06 })
      // A row has the same score in any company, and a missing value that of its fill.
      #expect(scores(ranker, Array(rows[features * 5..<features * 6])) == [found[5]])
    }
  }

  @Test("a ranker that bytes would change too much is refused, and nothing is written")
  func refusedLoss() throws {
    let (floatPath, path) = (try temporaryFile(), try temporaryFile())
    defer { unlink(floatPath) }
    unlink(path)
    try LayerRanker.write(network([16, 1], features: 8), to: floatPath)
    let floats = try RankerSegment.open(MappedBytes(path: floatPath), name: "floats")
    var quantiser = Quantiser()
    quantiser.tauMin = 1
    #expect(throws: Fault.self) {
      try quantiser.run(floats, rows: rows(2000, features: 8), groups: nil, to: path, disk: SystemDisk())
    }
    #expect(access(path, F_OK) != 0 && access(path + ".draft", F_OK) != 0)
    #expect(throws: Fault.self) {
      try Quantiser().run(floats, rows: [], groups: nil, to: path, disk: SystemDisk())
    }
  }

  @Test("numbers at the edge of what bytes can do are refused before anything is written")
  func edgeOfReach() throws {
    // The last layer's sums stay in reach of the two inputs that there are, and not of the 64 that rows are padded to.
    let network = LayerNetwork(
      features: ["a", "b"], scales: [1, 1], shifts: [0, 0], fills: [0, 0], reach: .infinity,
      layers: [LayerNetwork.Layer(inputs: 2, outputs: 1, weights: [1e8, 1e8], bias: [0])],
      link: ScoreLink(.identity))
    #expect(throws: Fault.self) { try QuantisedLayers(network, calibration: [0, 0, 1, 1]) }
  }

  @Test("an infinite value counts as the largest number, in a segment as in calibration")
  func infiniteValues() throws {
    let path = try temporaryFile()
    defer { unlink(path) }
    var network = network([4, 1], features: 2)
    network.scales = [1, 1]
    network.shifts = [0, 0]
    // Two infinite values with weights of other signs would come to no number at all.
    network.layers[0].weights = [1, 1, -1, 0.5, -1, -0.5, 1, 0.5].map { $0 / 4 }
    try LayerRanker.write(network, to: path)
    let ranker = try LayerRanker(opening: MappedBytes(path: path), name: "ranker")
    let rows: [Float] = [.infinity, .infinity, -.infinity, .infinity, 1, -.infinity]
    let found = scores(ranker, rows)
    let activations = network.activations(rows, count: 3)
    #expect(activations.last == found)
    let areFinite = activations[0].allSatisfy(\.isFinite)
    #expect(areFinite)
  }

  @Test("a trained ranker comes to bytes too")
  func trained() throws {
    let path = try temporaryFile()
    defer { unlink(path) }
    let network = network([16, 8, 1], features: 10)
    let model = RankerModel(
      RankerParameters(
        features: network.features, shape: RankerShape(featureCount: 10, widths: [16, 8, 1]),
        means: network.shifts, scales: network.scales, weights: network.layers.map(\.weights),
        biases: network.layers.map(\.bias)))
    let rows = rows(1000, features: 10)
    let loss = try Quantiser().run(model, rows: rows, groups: nil, to: path, disk: SystemDisk())
    #expect(loss.kendallTau > 0.97)
    let found = scores(try RankerSegment.open(MappedBytes(path: path), name: "ranker"), rows)
    #expect(zip(found, scores(model, rows)).allSatisfy { abs($0 - $1) < 0.2 })
  }

  @Test("every level of kernels gives the same bits")
  func levels() {
    var random = SplitMix(seed: 8)
    for (inputs, columns, rows) in [
      (4, 16, 24), (12, 32, 12), (64, 64, 24), (68, 112, 36), (256, 144, 24), (64, 192, 48),
    ] {
      let stride = (inputs + 63) / 64 * 64
      let x = (0..<rows * stride).map { _ in UInt8.random(in: 0...255, using: &random) }
      let weights = (0..<inputs * columns).map { _ in Int8.random(in: -127...127, using: &random) }
      let factors = (0..<columns).map { _ in Float.random(in: -0.01...0.01, using: &random) }
      let offsets = (0..<columns).map { _ in Float.random(in: -50...200, using: &random) }
      // An infinite value times zero is no number, though it came as one.
      let zeroed = factors.enumerated().map { $0 % 5 == 3 ? 0 : $1 }
      let last = (0..<stride).map { _ in Int8.random(in: -127...127, using: &random) }
      let floats = (0..<rows * columns).map { _ in
        let odd: [Float] = [.nan, .infinity, -.infinity, 1e30, -1e30, 0.5, 2.5]
        return Bool.random(using: &random)
          ? Float.random(in: -9...9, using: &random) : odd[Int.random(in: 0..<7, using: &random)]
      }
      var found: [[UInt8]] = []
      var foundLast: [[Float]] = []
      for level in [MK_SCALAR, MK_AVX2, MK_AVX512] {
        guard let kernels = mk_layers_at_level(Int32(level.rawValue)) else { continue }
        var out = [UInt8](repeating: 7, count: rows * columns)
        kernels.pointee.dense(x, stride, rows, inputs, weights, columns, factors, offsets, &out, columns)
        var quantised = [UInt8](repeating: 7, count: rows * (columns + 48))
        kernels.pointee.quantise(
          floats, rows, columns - 3, zeroed.map { $0 * 1000 }, offsets, factors, &quantised, columns + 48)
        // And with every column there is.
        var whole = [UInt8](repeating: 7, count: rows * columns)
        kernels.pointee.quantise(
          floats, rows, columns, zeroed.map { $0 * 1000 }, offsets, factors, &whole, columns)
        found.append(out + quantised + whole)
        // Whole groups of rows and a rest.
        var scores = [Float](repeating: 0, count: rows)
        kernels.pointee.last(x, stride, rows, stride, last, 0.003, -1.5, &scores)
        kernels.pointee.last(x, stride, 5, stride, last, 0.003, -1.5, &scores)
        foundLast.append(scores)
      }
      #expect(found.allSatisfy { $0 == found[0] } && foundLast.allSatisfy { $0 == foundLast[0] })
      #expect(Set(found[0]).count > 50)
      // And the sums are those of whole numbers.
      for row in [0, 7, rows - 1] {
        let sum = (0..<stride).reduce(0) { $0 + Int(x[row * stride + $1]) * Int(last[$1]) }
        #expect(foundLast[0][row] == (-1.5 as Float).addingProduct(Float(sum), 0.003))
      }
    }
  }

  @Test("damaged segments are refused or score within bounds")
  func damaged() throws {
    let (floatPath, path) = (try temporaryFile(), try temporaryFile())
    defer {
      unlink(floatPath)
      unlink(path)
    }
    try LayerRanker.write(network([16, 8, 1], features: 6), to: floatPath)
    let floats = try RankerSegment.open(MappedBytes(path: floatPath), name: "floats")
    var quantiser = Quantiser()
    quantiser.tauMin = 0
    quantiser.lossMax = 1
    _ = try quantiser.run(floats, rows: rows(500, features: 6), groups: nil, to: path, disk: SystemDisk())
    var random = SplitMix(seed: 79)
    for file in [floatPath, path] {
      let whole = try SystemDisk().read(file, limit: 1 << 20)
      var refused = 0
      for round in 0..<800 {
        var bytes = whole
        let end = round % 2 == 0 ? 64 + 8 * 32 : bytes.count
        for _ in 0...round % 3 {
          bytes[Int.random(in: 0..<end, using: &random)] = UInt8.random(in: 0...255, using: &random)
        }
        if round % 10 == 0 { bytes.removeLast(Int.random(in: 1..<bytes.count, using: &random)) }
        do {
          let ranker = try LayerRanker(opening: MappedBytes(copying: bytes), name: "ranker")
          _ = scores(ranker, [Float](repeating: 1, count: ranker.features.count * 3))
        } catch {
          refused += 1
        }
      }
      #expect(refused > 200)
    }
  }

  @Test("the loss is that of the order alone")
  func loss() {
    let floats = (0..<300).map { Float($0 % 100) }
    #expect(QuantisationLoss(floats: floats, bytes: floats.map { $0 * 2 - 5 }, groups: nil).kendallTau == 1)
    #expect(QuantisationLoss(floats: floats, bytes: floats.map { $0 * 2 - 5 }, groups: nil).ndcg10 == 0)
    let reversed = QuantisationLoss(floats: floats, bytes: floats.map { -$0 }, groups: nil)
    #expect(reversed.kendallTau == -1 && reversed.ndcg10 == 1 && reversed.groupCount == 3)
    let flat = QuantisationLoss(floats: floats, bytes: floats.map { _ in 1 }, groups: nil)
    #expect(flat.kendallTau == 0)
  }
}
