import ArgumentParser
import Base
import Foundation
import Ranking

/// `marquee model quantise`: a ranker of layers in bytes.
struct ModelQuantiseCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "quantise", abstract: "Bring a ranker of layers to bytes, and measure what that costs.",
    discussion: """
      Ranges come from the calibration rows, which should be as they are served. Both rankers score them, and the one of \
      bytes is refused (exit code 3, nothing written) if it ranks too differently. What it costs is kept in the ranker: \
      `model inspect` shows it.
      """)

  @Argument(help: "The ranker: what `model import` made of ONNX, or `train`.", completion: .file()) var file:
    String
  @Option(help: "Calibration rows (.npy of float32).", completion: .file()) var rows: String
  @Option(
    help: "Groups of those rows, a number for each (.npy); without it every hundred rows are one.",
    completion: .file())
  var groups: String?
  @Option(help: "Where to write the ranker of bytes.", completion: .file()) var out: String
  @Option(help: "The largest loss of NDCG@10 against the floats.") var lossMax = Quantiser().lossMax
  @Option(help: "The least Kendall's tau against the floats.") var tauMin = Quantiser().tauMin
  @OptionGroup var options: OutputOptions

  func run() async throws {
    let ranker = try RankerSegment.open(MappedBytes(path: file), name: file)
    let table = try NPYFile.read(MappedBytes(path: rows), name: rows)
    guard table.shape.count == 2, table.shape[1] == ranker.features.count, table.shape[0] > 0 else {
      throw Fault(
        .invalidArgument,
        "\(rows) has the shape \(table.shape), and the ranker \(ranker.features.count) features")
    }
    let numbers = try groups.map { try ModelGroups.read($0, rowCount: table.shape[0]) }
    var quantiser = Quantiser()
    quantiser.lossMax = lossMax
    quantiser.tauMin = tauMin
    _ = try quantiser.run(ranker, rows: table.values, groups: numbers, to: out, disk: SystemDisk())
    let segment = try MappedBytes(path: out)
    let report = ModelReport(try RankerSegment.open(segment, name: out), bytes: segment.count)
    try options.show(report) { "\(out): \(report.text)" }
  }
}
