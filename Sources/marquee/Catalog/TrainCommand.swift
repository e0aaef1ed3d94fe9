import ArgumentParser
import Base
import Control
import Features
import Foundation

/// `marquee train`: a ranker from a workspace's interactions.
struct TrainCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "train", abstract: "Train a ranker on a workspace's interactions, split by time.",
    discussion: """
      The space is fitted on the first 70 % of the time, rows come from the next 20 %, and the figures are of the last \
      10 %. Negatives are drawn from what retrieval would have brought: the figures compare rankers, they are not those of \
      a whole catalogue (`marquee evaluate` has those).
      """)

  @Argument(help: "The workspace.", completion: .directory) var workspace: String
  @Option(help: "Where to write the ranker.", completion: .file()) var out: String
  @Option(
    help: "Also write the rows there, for other tools: train-, validation- and test-features.npy and so on.",
    completion: .directory)
  var rows: String?
  @Option(help: "Seed.") var seed: UInt64 = 1
  @Option(help: "Passes over the rows at most.") var epochs = 20
  @Option(help: "Threads; the machine's cores when not said.") var threads: Int?
  @OptionGroup var output: OutputOptions

  func run() async throws {
    var options = Training.Options(workspace: workspace, output: out)
    options.seed = seed
    options.epochCountMax = epochs
    options.rowsPath = rows
    options.threads = threads ?? ProcessInfo.processInfo.activeProcessorCount
    let progress = Progress()
    let report = try Training(options, disk: SystemDisk(), time: SystemTime()) {
      progress.show($0.step.rawValue, fraction: $0.share)
    }.run()
    progress.end()
    try output.show(Report(report)) {
      var table = Table("", "AUC", "NDCG@10", "LOG LOSS")
      for measures in report.measures {
        table.add(
          "\(measures.subject)", String(format: "%.3f", measures.auc),
          String(format: "%.3f", measures.ndcg10),
          String(format: "%.3f", measures.logLoss))
      }
      return "\(out): \(readable(count: report.trainRowCount)) rows, \(report.epochCount) passes\n"
        + table.text
    }
  }

  private struct Report: Encodable {
    var trainRows: Int
    var testRows: Int
    var epochs: Int
    var auc: Double
    var aucSimilarity: Double
    var aucPopularity: Double
    var ndcg10: Double
    var ndcg10Popularity: Double
    var logLoss: Double

    init(_ report: TrainingReport) {
      trainRows = report.trainRowCount
      testRows = report.testRowCount
      epochs = report.epochCount
      auc = Double(report.ranker.auc)
      aucSimilarity = Double(report.similarity.auc)
      aucPopularity = Double(report.popularity.auc)
      ndcg10 = Double(report.ranker.ndcg10)
      ndcg10Popularity = Double(report.popularity.ndcg10)
      logLoss = Double(report.ranker.logLoss)
    }
  }
}
