import Base

@testable import Ranking

/// ONNX: refused with a place, or a network whose segment scores as its layers do, and that can be brought to bytes or
/// says why not.
func fuzzONNX(_ input: [UInt8]) {
  let mapped = MappedBytes(copying: input)
  let network: LayerNetwork
  do throws(Refusal) { network = try ONNXModel.read(mapped.bytes, name: "model") } catch {
    return ModelRows.check(error, of: "model")
  }
  guard ModelRows.isWritten({ try LayerRanker.write(network, to: ModelRows.path) }) else { return }
  let ranker = ModelRows.open()
  guard ranker.features == network.features else { found("other features: \(ranker.features)") }
  let (values, count) = ModelRows.rows(network.features.count)
  let scratch = RankerScratch()
  let raw = values.withUnsafeBufferPointer { ranker.outputs($0, count: count, raw: true, scratch: scratch) }
  let expected = network.activations(values, count: count).last ?? []
  guard zip(raw, expected).allSatisfy({ ModelRows.isSame($0, Double($1)) }) else {
    found("rows come to \(raw), and by their layers to \(expected)")
  }
  _ = values.withUnsafeBufferPointer { ranker.outputs($0, count: count, raw: false, scratch: scratch) }
  var quantiser = Quantiser()
  (quantiser.lossMax, quantiser.tauMin) = (1, -1)
  let isQuantised = ModelRows.isWritten {
    _ = try quantiser.run(ranker, rows: values, groups: nil, to: ModelRows.path, disk: SystemDisk())
  }
  guard isQuantised else { return }
  let bytes = ModelRows.open()
  _ = values.withUnsafeBufferPointer { bytes.outputs($0, count: count, raw: false, scratch: scratch) }
}
