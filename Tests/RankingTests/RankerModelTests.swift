import Base
import CKernels
import Glibc
import Testing

@testable import Ranking

@Suite("Ranker model")
struct RankerModelTests {
  private func parameters(_ widths: [Int], features: Int, seed: UInt64 = 1) -> RankerParameters {
    var random = SplitMix(seed: seed)
    let shape = RankerShape(featureCount: features, widths: widths)
    let some = { (count: Int) in (0..<count).map { _ in Float.random(in: -0.5...0.5, using: &random) } }
    return RankerParameters(
      features: (0..<features).map { "feature \($0)" }, shape: shape, means: some(features),
      scales: some(features).map { abs($0) + 0.5 },
      weights: shape.layers.map { some($0.inputs * $0.outputs) },
      biases: widths.map(some))
  }

  /// The model in double precision, written out.
  private func plain(_ parameters: RankerParameters, _ row: ArraySlice<Float>) -> Double {
    var x = zip(row, zip(parameters.means, parameters.scales)).map { value, norm in
      value.isNaN ? 0 : min(8, max(-8, (Double(value) - Double(norm.0)) * Double(norm.1)))
    }
    for (index, layer) in parameters.shape.layers.enumerated() {
      x = (0..<layer.outputs).map { output in
        let sum = (0..<layer.inputs).reduce(Double(parameters.biases[index][output])) {
          $0 + x[$1] * Double(parameters.weights[index][$1 * layer.outputs + output])
        }
        return index == parameters.shape.layers.count - 1 ? sum : max(0, sum)
      }
    }
    return x[0]
  }

  private func scores(_ model: RankerModel, _ rows: [Float], count: Int) -> [Float] {
    var scores = [Float](repeating: 0, count: count)
    let scratch = RankerScratch()
    rows.withUnsafeBufferPointer { rows in
      scores.withUnsafeMutableBufferPointer { model.score(rows, count: count, into: $0, scratch: scratch) }
    }
    return scores
  }

  @Test(
    "scores are those of the layers written out, from memory and from the segment",
    arguments: [[1], [16, 1], [33, 7, 1], [64, 32, 1], [5, 5, 5, 5, 1]])
  func scoresPlainly(widths: [Int]) throws {
    let path = try temporaryFile()
    defer { unlink(path) }
    for features in [1, 10, 64] {
      let parameters = parameters(widths, features: features)
      try parameters.write(to: path)
      let opened = try RankerModel(opening: MappedBytes(path: path), name: "ranker")
      #expect(opened.features == parameters.features && opened.widths == widths)
      var random = SplitMix(seed: 2)
      for count in [0, 1, 9, 129] {
        var rows = (0..<count * features).map { _ in Float.random(in: -3...3, using: &random) }
        if count > 7 { (rows[0], rows[features]) = (.nan, 1e20) }
        let found = scores(opened, rows, count: count)
        #expect(scores(RankerModel(parameters), rows, count: count) == found)
        for row in 0..<count {
          let expected = plain(parameters, rows[row * features..<(row + 1) * features])
          #expect(abs(Double(found[row]) - expected) < 1e-3)
        }
      }
    }
  }

  @Test("a batch gives each row the score that it has alone")
  func batch() {
    let model = RankerModel(parameters([16, 8, 1], features: 12))
    var random = SplitMix(seed: 3)
    let rows = (0..<50 * 12).map { _ in Float.random(in: -1...1, using: &random) }
    let together = scores(model, rows, count: 50)
    for row in 0..<50 {
      #expect(scores(model, Array(rows[row * 12..<(row + 1) * 12]), count: 1) == [together[row]])
    }
  }

  @Test("a logit's probability is between zero and one")
  func probability() {
    #expect(RankerModel.probability(0) == 0.5)
    #expect(RankerModel.probability(-200) == 0 && RankerModel.probability(200) == 1)
  }

  @Test("parameters that can't be a segment are refused")
  func unwritable() throws {
    let path = try temporaryFile()
    defer { unlink(path) }
    let good = parameters([4, 1], features: 3)
    var bad = good
    bad.features[1] = "two\nlines"
    #expect(throws: Fault.self) { try bad.write(to: path) }
    bad.features[1] = bad.features[0]
    #expect(throws: Fault.self) { try bad.write(to: path) }
    bad = good
    bad.weights[0][2] = .nan
    #expect(throws: Fault.self) { try bad.write(to: path) }
    #expect(throws: Fault.self) { try parameters([2, 2, 2, 2, 2, 1], features: 3).write(to: path) }
    #expect(throws: DiskFault.self) { try good.write(to: "/nowhere/at/all") }
  }

  @Test("damaged segments are refused or score within bounds")
  func damaged() throws {
    let path = try temporaryFile()
    defer { unlink(path) }
    try parameters([8, 1], features: 6).write(to: path)
    let whole = try SystemDisk().read(path, limit: 1 << 20)
    var random = SplitMix(seed: 77)
    var refused = 0
    for round in 0..<800 {
      var bytes = whole
      let end = round % 2 == 0 ? 64 + 6 * 32 : bytes.count
      for _ in 0...round % 3 {
        bytes[Int.random(in: 0..<end, using: &random)] = UInt8.random(in: 0...255, using: &random)
      }
      if round % 10 == 0 { bytes.removeLast(Int.random(in: 1..<bytes.count, using: &random)) }
      do {
        let model = try RankerModel(opening: MappedBytes(copying: bytes), name: "ranker")
        _ = scores(model, [Float](repeating: 1, count: model.features.count * 3), count: 3)
      } catch {
        refused += 1
      }
    }
    #expect(refused > 200)
  }

  @Test("heads, layers, names and numbers out of bounds are refused with their place")
  func refusals() throws {
    let path = try temporaryFile()
    defer { unlink(path) }
    let open = {
      (head: [UInt32], names: String, norms: [Float], sizes: [UInt32], weights: [Float], biases: [Float])
        -> String? in
      let writer = try SegmentWriter(
        path: path, kind: RankerModel.kind, formatVersion: RankerModel.formatVersion)
      try writer.add("HEAD", head)
      try writer.add("NAME", Array(names.utf8))
      try writer.add("NORM", norms)
      try writer.add("SIZE", sizes)
      try writer.add("WGTS", weights)
      try writer.add("BIAS", biases)
      try writer.finish()
      do {
        _ = try RankerModel(opening: MappedBytes(path: path), name: "ranker")
        return nil
      } catch let refusal as Refusal {
        return refusal.place
      }
    }
    let (norms, weights, biases) = (
      [Float](repeating: 1, count: 4), [Float](repeating: 1, count: 32), [Float](repeating: 1, count: 16)
    )
    #expect(try open([2, 1, 0, 0], "a\nb\n", norms, [1], weights, biases) == nil)
    #expect(try open([0, 1, 0, 0], "a\nb\n", norms, [1], weights, biases) == "ranker section HEAD")
    #expect(try open([2, 6, 0, 0], "a\nb\n", norms, [1], weights, biases) == "ranker section HEAD")
    #expect(try open([2, 1, 0, 0], "a\nb\n", norms, [2], weights, biases) == "ranker section SIZE")
    #expect(try open([2, 2, 0, 0], "a\nb\n", norms, [0, 1], weights, biases) == "ranker section SIZE")
    #expect(try open([2, 1, 0, 0], "a\nb\n", [1], [1], weights, biases) == "ranker section NORM")
    #expect(try open([2, 1, 0, 0], "a\nb\n", norms, [1], [1], biases) == "ranker section WGTS")
    #expect(try open([2, 1, 0, 0], "a\nb\n", norms, [1], weights, [1]) == "ranker section BIAS")
    #expect(try open([2, 1, 0, 0], "a\nb", norms, [1], weights, biases) == "ranker section NAME")
    #expect(try open([2, 1, 0, 0], "a\na\n", norms, [1], weights, biases) == "ranker section NAME")
    #expect(try open([2, 1, 0, 0], "a\n\n", norms, [1], weights, biases) == "ranker section NAME")
    #expect(try open([2, 1, 0, 0], "a\nb\nc\n", norms, [1], weights, biases) == "ranker section NAME")
    var bad = weights
    bad[3] = .nan
    #expect(try open([2, 1, 0, 0], "a\nb\n", norms, [1], bad, biases) == "ranker section WGTS")
  }
}
