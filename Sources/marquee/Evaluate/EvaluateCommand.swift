import ArgumentParser
import Base
import Foundation
import Serving

/// `marquee evaluate`: how good ranking is, on what happened later.
struct EvaluateCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "evaluate",
    abstract: "Replay what happened after a split in time, and measure ranking on it.",
    discussion: """
      Snapshots are built of what was known before the split and of nothing later. Each request is one that a profile \
      could have made after it, with what it had done until then, and goes the way of every request: features, retrieval, \
      ranker, rules. Wanted are the titles that the profile then took to within the horizon and had not met before.

      RECALL@500 is the part of them among the candidates, NDCG@10 and HR@10 (is any of them there?) are of the first ten \
      top picks. Beside the path stand what most people wanted (popularity), what those wanted who wanted the same \
      (item-item), and the path without a ranker. Intervals are those of 95 % of draws of other profiles.

      To measure a ranker of another tool: --rows writes rows of before the split, train on them, and give the imported \
      model to --ranker with the same source, --share and --seed.
      """)

  @Argument(
    help: "A workspace, or the directory of a MovieLens or KuaiRand data set.", completion: .directory)
  var source: String
  @Option(help: "A ranker to measure; may be repeated.", completion: .file()) var ranker: [String] = []
  @Option(help: "The share of the interactions, by time, that lies before the split.") var share = 0.8
  @Option(help: "Hours after a request in which a title counts as wanted.") var horizonHours = 24
  @Option(help: "Requests of one profile at most, drawn from its visits.") var requestsPerProfile = 5
  @Option(help: "Requests in all at most; profiles are drawn.") var requests = 10_000
  @Option(help: "Two letters of ISO 3166-1: licences are by country.") var country = "US"
  @Flag(help: "Train no ranker of our own.") var noTraining = false
  @Option(help: "Write the rows there that it is trained on, for other tools.", completion: .directory)
  var rows: String?
  @Option(help: "A policy file; the default when not said.", completion: .file()) var policy: String?
  @Option(help: "Seed of everything random.") var seed: UInt64 = 1
  @Option(help: "Threads of building; the machine's cores when not said.") var threads: Int?
  @OptionGroup var output: OutputOptions

  func validate() throws {
    guard 1...8760 ~= horizonHours else { throw ValidationError("--horizon-hours is 1 to 8760") }
    guard 1...1000 ~= requestsPerProfile else { throw ValidationError("--requests-per-profile is 1 to 1000") }
    guard 1...10_000_000 ~= requests else { throw ValidationError("--requests is 1 to 10000000") }
    guard rows == nil || !noTraining else { throw ValidationError("--rows needs training") }
  }

  func run() async throws {
    var options = Evaluation.Options(source: source)
    options.rankers = ranker.map { (name: $0.split(separator: "/").last.map(String.init) ?? $0, path: $0) }
    options.share = share
    options.horizonHours = horizonHours
    options.requestsPerProfile = requestsPerProfile
    options.requestCountMax = requests
    options.country = country
    options.isTraining = !noTraining
    options.rowsPath = rows
    options.seed = seed
    options.threads = threads ?? ProcessInfo.processInfo.activeProcessorCount
    if let policy {
      options.policy = try Policy.decode(SystemDisk().read(policy, limit: 1 << 20)).encode()
    }
    let progress = Progress()
    let report = try Evaluation(options: options) { progress.show($0, fraction: $1) }.run()
    progress.end()
    try output.show(report) { report.text }
  }
}
