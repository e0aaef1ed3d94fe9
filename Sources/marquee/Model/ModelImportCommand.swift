import ArgumentParser
import Base
import Ranking

/// `marquee model import`: a ranker segment from another tool's model.
struct ModelImportCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "import", abstract: "Make a ranker of a LightGBM, XGBoost or ONNX model.",
    discussion: """
      The kind of file is told by its first bytes. Scores are those of the tool that trained the model: sums and their \
      transform to the last bit where the arithmetic allows. A file that is cut, broken or of an unknown objective is \
      refused with its line or byte and exit code 3.
      """)

  @Argument(help: "The model: LightGBM's text (save_model), XGBoost's JSON, or ONNX.", completion: .file())
  var file: String
  @Option(help: "Where to write the ranker.", completion: .file()) var out: String
  @Option(help: "The features' names, with commas between them, in the place of the file's.") var features:
    String?
  @Option(help: "The output that is the score, of a model of several classes.") var output: Int?
  @OptionGroup var options: OutputOptions

  func run() async throws {
    let mapped = try MappedBytes(path: file)
    if ModelFile.format(mapped.bytes) == .onnx {
      try importLayers(mapped)
    } else {
      try importTrees(mapped)
    }
    let segment = try MappedBytes(path: out)
    let report = ModelReport(try RankerSegment.open(segment, name: out), bytes: segment.count)
    try options.show(report) { "\(out): \(report.text)" }
  }

  private func importLayers(_ mapped: MappedBytes) throws {
    guard output == nil else { throw Fault(.invalidArgument, "layers have one output: leave --output out") }
    var network = try ONNXModel.read(mapped.bytes, name: file)
    if let features { network = try network.renamed(features.split(separator: ",").map(String.init)) }
    try LayerRanker.write(network, to: out)
  }

  private func importTrees(_ mapped: MappedBytes) throws {
    var forest = try ModelFile.forest(mapped.bytes, name: file)
    if let features { forest = try forest.renamed(features.split(separator: ",").map(String.init)) }
    guard forest.outputCount == 1 || output != nil else {
      throw Fault(
        .invalidArgument,
        "the model has \(forest.outputCount) outputs: say with --output which of them is the score")
    }
    try TreeRanker.write(forest, scoreOutput: output ?? 0, to: out)
  }
}

/// `marquee model inspect`: what a ranker is.
struct ModelInspectCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "inspect", abstract: "Say what a ranker is: family, size, features.")

  @Argument(help: "The ranker.", completion: .file()) var file: String
  @OptionGroup var options: OutputOptions

  func run() async throws {
    let segment = try MappedBytes(path: file)
    let report = ModelReport(try RankerSegment.open(segment, name: file), bytes: segment.count)
    try options.show(report) { report.text }
  }
}
