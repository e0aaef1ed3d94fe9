package import Base

/// Brings a ranker of layers to bytes, measures what that costs, and refuses what costs too much.
package struct Quantiser: Sendable {
  /// The largest NDCG@10 loss that is taken.
  package var lossMax = 0.02
  /// The least Kendall's tau that is taken.
  package var tauMin = 0.95

  package init() {}

  /// Writes the ranker of bytes to `path`. Throws a ``Base/Fault`` with `failedPrecondition`, and writes nothing, when it
  /// ranks too differently.
  ///
  /// - Parameters:
  ///   - rows: those that ranges come from and that both rankers are compared on.
  ///   - groups: a number for each row, equal ones together; `nil` when nobody knows.
  package func run(
    _ ranker: any Ranker, rows: [Float], groups: [Int]?, to path: String, disk: any Disk
  ) throws -> QuantisationLoss {
    let network = try network(ranker)
    let quantised = try QuantisedLayers(network, calibration: rows)
    let draft = path + ".draft"
    try LayerRanker.write(quantised, loss: QuantisationLoss(floats: [], bytes: [], groups: nil), to: draft)
    let loss: QuantisationLoss
    do {
      let bytes = try LayerRanker(opening: try disk.map(draft), name: draft)
      loss = QuantisationLoss(
        floats: scores(ranker, rows), bytes: scores(bytes, rows), groups: groups)
      try disk.remove(draft)
    } catch {
      try disk.remove(draft)
      throw error
    }
    guard loss.ndcg10 <= lossMax, loss.kendallTau >= tauMin else {
      throw Fault(
        .failedPrecondition,
        "in bytes the ranker loses \(Self.percent(loss.ndcg10)) of NDCG@10 (\(Self.percent(lossMax)) may go) at Kendall's tau "
          + "\(Self.hundredths(loss.kendallTau)) (\(Self.hundredths(tauMin)) at least): calibrate with rows as they are served, "
          + "normalise the features, or serve the floats")
    }
    try LayerRanker.write(quantised, loss: loss, to: path)
    return loss
  }

  private func network(_ ranker: any Ranker) throws(Fault) -> LayerNetwork {
    if let model = ranker as? RankerModel { return model.network }
    if let layers = ranker as? LayerRanker, let network = layers.network { return network }
    throw Fault(.invalidArgument, "only a ranker of layers in floats can be brought to bytes")
  }

  private func scores(_ ranker: some Ranker, _ rows: [Float]) -> [Float] {
    rows.withUnsafeBufferPointer {
      logits(ranker, $0, count: rows.count / ranker.features.count, scratch: RankerScratch())
    }
  }

  private static func percent(_ share: Double) -> String { "\((share * 1000).rounded() / 10) %" }
  private static func hundredths(_ value: Double) -> String { "\((value * 1000).rounded() / 1000)" }
}
