import ArgumentParser
import Base
import Foundation
import Ranking

/// `marquee model evaluate`: a ranker on rows of features.
struct ModelEvaluateCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "evaluate", abstract: "Score rows with a ranker, and measure the scores against labels.",
    discussion: """
      Rows are a .npy file of float32, one row of features after the other, as `train --rows` writes them. With labels \
      it prints AUC and log loss, with groups too NDCG@10: rows of a group stand together.
      """)

  enum Form: String, ExpressibleByArgument, CaseIterable {
    case score, raw, output
  }

  @Argument(help: "The ranker.", completion: .file()) var file: String
  @Option(help: "The rows (.npy).", completion: .file()) var rows: String
  @Option(help: "Labels, 0 to 1 (.npy).", completion: .file()) var labels: String?
  @Option(help: "Groups, a number for each row (.npy).", completion: .file()) var groups: String?
  @Option(help: "Where to write the scores (.npy of float64).", completion: .file()) var scores: String?
  @Option(
    help: """
      What --scores gets: score (the logit that ranks), raw (before the objective's transform) or output (what the tool \
      that trained the model predicts).
      """)
  var form = Form.score
  @OptionGroup var options: OutputOptions

  func run() async throws {
    let ranker = try RankerSegment.open(MappedBytes(path: file), name: file)
    let table = try NPYFile.read(MappedBytes(path: rows), name: rows)
    guard table.shape.count == 2, table.shape[1] == ranker.features.count else {
      throw Fault(
        .invalidArgument,
        "\(rows) has the shape \(table.shape), and the ranker \(ranker.features.count) features")
    }
    let count = table.shape[0]
    let scratch = RankerScratch()
    var found = [Float](repeating: 0, count: count)
    let begin = ProcessInfo.processInfo.systemUptime
    table.values.withUnsafeBufferPointer { values in
      found.withUnsafeMutableBufferPointer { ranker.score(values, count: count, into: $0, scratch: scratch) }
    }
    let seconds = ProcessInfo.processInfo.systemUptime - begin
    if let scores {
      let values = try values(ranker, table.values, count: count, scores: found, scratch: scratch)
      try SystemDisk().writeDurably(
        NPYFile.bytes(doubles: values, columns: count > 0 ? values.count / count : 1), to: scores)
    }
    let report = try report(found, count: count, seconds: seconds)
    try options.show(report) { report.text }
  }

  private func values(
    _ ranker: any Ranker, _ rows: [Float], count: Int, scores: [Float], scratch: RankerScratch
  ) throws -> [Double] {
    guard form != .score else { return scores.map { Double($0) } }
    return rows.withUnsafeBufferPointer {
      ranker.outputs($0, count: count, raw: form == .raw, scratch: scratch)
    }
  }

  private func report(_ scores: [Float], count: Int, seconds: Double) throws -> Report {
    var report = Report(rows: count, rowsPerSecond: seconds > 0 ? Double(count) / seconds : 0)
    guard let labels = try column(labels, count: count) else { return report }
    guard labels.allSatisfy({ $0 >= 0 && $0 <= 1 }) else {
      throw Fault(.invalidArgument, "labels are 0 to 1")
    }
    report.auc = RankingMetrics.auc(scores: scores, labels: labels)
    report.logLoss = RankingMetrics.logLoss(
      logits: scores, labels: labels, weights: [Float](repeating: 1, count: count))
    if let groups {
      report.ndcg10 = RankingMetrics.ndcg(
        scores: scores, labels: labels, groups: try ModelGroups.read(groups, rowCount: count))
    }
    return report
  }

  private func column(_ path: String?, count: Int) throws -> [Float]? {
    guard let path else { return nil }
    let column = try NPYFile.read(MappedBytes(path: path), name: path)
    guard column.values.count == count else {
      throw Fault(.invalidArgument, "\(path) has \(column.values.count) numbers for \(count) rows")
    }
    return column.values
  }

  private struct Report: Encodable {
    var rows: Int
    var rowsPerSecond: Double
    var auc: Double?
    var ndcg10: Double?
    var logLoss: Double?

    var text: String {
      var lines = ["\(readable(count: rows)) rows, \(readable(count: Int(rowsPerSecond))) a second"]
      if let auc { lines.append(String(format: "AUC      %.4f", auc)) }
      if let ndcg10 { lines.append(String(format: "NDCG@10  %.4f", ndcg10)) }
      if let logLoss { lines.append(String(format: "log loss %.4f", logLoss)) }
      return lines.joined(separator: "\n")
    }
  }
}
