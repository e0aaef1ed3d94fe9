import ArgumentParser
import Base
import Foundation
import Ranking

/// `marquee model`: rankers that other tools trained.
struct ModelCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "model", abstract: "Import, inspect, measure and quantise rankers that other tools trained.",
    discussion: """
      Trees come from LightGBM's text models and XGBoost's JSON models, layers from ONNX. The ranker that an import writes is what \
      `snapshot build --ranker` takes. docs/models.md has the whole way, from exported rows to a served ranker.
      """,
    subcommands: [
      ModelImportCommand.self, ModelInspectCommand.self, ModelEvaluateCommand.self, ModelQuantiseCommand.self,
    ])
}

/// What people and scripts are told about a ranker.
struct ModelReport: Encodable {
  var family: String
  var origin: String?
  var objective: String?
  var features: [String]
  var outputs = 1
  var trees: Int?
  var nodes: Int?
  var tests: Int?
  var parts: Int?
  var layers: [Int]?
  var bytes: Int
  /// What bytes cost against the floats that they were made of.
  var loss: Loss?

  struct Loss: Encodable {
    var ndcg10Loss: Double
    var kendallTau: Double
    var rows: Int
  }

  init(_ ranker: any Ranker, bytes: Int) {
    features = ranker.features
    self.bytes = bytes
    switch ranker {
    case let layers as LayerRanker:
      family = layers.isQuantised ? "layers of bytes" : "layers"
      origin = "onnx"
      self.layers = layers.widths
      loss = layers.loss.map { Loss(ndcg10Loss: $0.ndcg10, kendallTau: $0.kendallTau, rows: $0.rowCount) }
    case let trees as TreeRanker:
      family = "trees"
      origin = trees.origin == .lightGBM ? "lightgbm" : "xgboost"
      objective = trees.objective
      outputs = trees.outputCount
      self.trees = trees.treeCount
      nodes = trees.shape.nodes
      tests = trees.shape.planes
      parts = trees.shape.parts
    case let layers as RankerModel:
      family = "layers"
      self.layers = layers.widths
    default: family = "other"
    }
  }

  var text: String {
    var lines = ["\(family), \(features.count) features, \(readable(bytes: UInt64(bytes)))"]
    if let origin, let objective { lines.append("from \(origin), objective \(objective)") }
    if let trees, let nodes, let tests {
      lines.append(
        "\(readable(count: trees)) trees, \(readable(count: nodes)) nodes with \(readable(count: tests)) different tests"
      )
    }
    if let layers { lines.append("layers of \(layers.map(String.init).joined(separator: ", ")) outputs") }
    if let loss {
      lines.append(
        String(
          format: "against its floats: NDCG@10 loss %.4f, Kendall's tau %.4f, on %@ rows", loss.ndcg10Loss,
          loss.kendallTau, readable(count: loss.rows)))
    }
    if outputs > 1 { lines.append("\(outputs) outputs") }
    lines.append("features: \(features.joined(separator: " "))")
    return lines.joined(separator: "\n")
  }
}

/// Which rows belong together, as a .npy file says it.
enum ModelGroups {
  static func read(_ path: String, rowCount: Int) throws -> [Int] {
    let groups = try NPYFile.readWhole(MappedBytes(path: path), name: path)
    guard groups.count == rowCount else {
      throw Fault(.invalidArgument, "\(path) has \(groups.count) numbers for \(rowCount) rows")
    }
    return groups
  }
}
