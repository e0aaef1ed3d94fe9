import Base

@testable import Ranking

/// LightGBM's text: refused with a place, or a forest whose segment scores as its trees do.
func fuzzLightGBM(_ input: [UInt8]) {
  fuzzForest(input) { bytes throws(Refusal) in try LightGBMText.read(bytes, name: "model") }
}

/// XGBoost's JSON, likewise.
func fuzzXGBoost(_ input: [UInt8]) {
  fuzzForest(input) { bytes throws(Refusal) in try XGBoostJSON.read(bytes, name: "model") }
}

private func fuzzForest(
  _ input: [UInt8], _ read: (UnsafeRawBufferPointer) throws(Refusal) -> Forest
) {
  let mapped = MappedBytes(copying: input)
  let forest: Forest
  do throws(Refusal) { forest = try read(mapped.bytes) } catch {
    return ModelRows.check(error, of: "model")
  }
  let scoreOutput = forest.outputCount - 1
  guard
    ModelRows.isWritten({ try TreeRanker.write(forest, scoreOutput: scoreOutput, to: ModelRows.path) })
  else { return }
  let ranker = ModelRows.open()
  guard ranker.features == forest.features else { found("other features: \(ranker.features)") }
  let width = forest.features.count
  let (values, count) = ModelRows.rows(width)
  values.withUnsafeBufferPointer { values in
    let scratch = RankerScratch()
    let sums = ranker.outputs(values, count: count, raw: true, scratch: scratch)
    for row in 0..<count {
      let expected = forest.sums(values[row * width..<(row + 1) * width])
      let came = sums[row * forest.outputCount..<(row + 1) * forest.outputCount]
      guard zip(expected, came).allSatisfy(ModelRows.isSame) else {
        found("row \(row) comes to \(Array(came)), and by its trees to \(expected)")
      }
    }
    _ = ranker.outputs(values, count: count, raw: false, scratch: scratch)
    var scores = [Float](repeating: 0, count: count)
    scores.withUnsafeMutableBufferPointer { ranker.score(values, count: count, into: $0, scratch: scratch) }
  }
}
