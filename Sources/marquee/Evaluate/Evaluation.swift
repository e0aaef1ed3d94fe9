import Base
import Catalogue
import Control
import Features
import Foundation
import Ranking
import Serving
import Snapshots

/// Measures how good ranking is on what happened after a split in time: builds snapshots of what was known before it, and
/// replays what came.
struct Evaluation {
  struct Options {
    var source: String
    /// Rankers to measure besides ours, by name.
    var rankers: [(name: String, path: String)] = []
    var share = 0.8
    var horizonHours = 24
    var requestsPerProfile = 5
    var requestCountMax = 10_000
    var country = "US"
    var seed: UInt64 = 1
    var threads = 1
    /// Whether our own ranker is trained, of what was known before the split.
    var isTraining = true
    /// Where the rows go that it is trained on.
    var rowsPath: String?
    /// The policy; the default when `nil`.
    var policy: [UInt8]?
  }

  let options: Options
  let progress: @Sendable (String, Double) -> Void

  func run() throws -> EvaluationReport {
    let scratch = FileManager.default.temporaryDirectory.path + "/marquee-evaluate-" + UUID().uuidString
    try FileManager.default.createDirectory(atPath: scratch, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: scratch) }
    progress("splitting", 0)
    let source = try EvaluationSource(options.source, share: options.share, scratch: scratch)
    var rankers: [(name: String, path: String?)] = [("built-in ranker", nil)]
    if options.isTraining { rankers.append(("trained ranker", try train(source.before, scratch: scratch))) }
    rankers += options.rankers.map { ($0.name, $0.path) }
    let generations = try build(source, rankers: rankers.map(\.path), scratch: scratch)
    guard let first = generations.first else { preconditionFailure("there is a built-in ranker") }

    let table = try InteractionTable(path: source.whole.interactionsPath, view: first.catalogue)
    let plan = ReplayPlan(
      table, from: source.split, horizonMilliseconds: Int64(options.horizonHours) * 3_600_000,
      requestsPerProfile: options.requestsPerProfile, requestCountMax: options.requestCountMax,
      seed: options.seed)
    guard !plan.requests.isEmpty else {
      throw Fault(
        .failedPrecondition, "nobody wanted a title after the split: choose a lower --share, or more data")
    }
    var subjects = [Replay.Subject(name: "retrieval order", generation: first, isRankerLate: true)]
    subjects += zip(rankers, generations).map { Replay.Subject(name: $0.name, generation: $1) }
    let progress = progress
    let replayed = try Replay(
      table: table, plan: plan, subjects: subjects, country: options.country,
      progress: { progress("replay", $0) }
    ).run()
    let baselines = baselines(table.before(source.split), plan, titleCount: first.catalogue.count)
    return EvaluationReport(
      source: source, plan: plan, table: table, baselines: baselines, replayed: replayed, seed: options.seed)
  }

  private func train(_ workspace: Workspace, scratch: String) throws -> String {
    var training = Training.Options(workspace: workspace.path, output: scratch + "/trained")
    training.seed = options.seed
    training.threads = options.threads
    training.rowsPath = options.rowsPath
    let progress = progress
    _ = try Training(training) { progress("training: \($0.step.rawValue)", $0.share) }.run()
    return training.output
  }

  /// A snapshot for each ranker, all but the first on the first: the same titles, vectors and index.
  private func build(
    _ source: EvaluationSource, rankers: [String?], scratch: String
  ) throws -> [Generation] {
    let time = ManualTime(now: source.split)
    let key = PrivateKey.generate()
    let progress = progress
    var generations: [Generation] = []
    for (place, ranker) in rankers.enumerated() {
      var build = SnapshotBuild.Options(workspace: source.before.path, output: scratch + "/library", key: key)
      build.rankerPath = ranker
      build.seed = options.seed
      build.threads = options.threads
      build.policy = options.policy ?? Policy.default.encode()
      if place > 0 { build.parent = 1 }
      let report = try SnapshotBuild(build, disk: SystemDisk(), time: time) {
        progress("snapshot \(place + 1) of \(rankers.count)", $0.share)
      }.run()
      let library = try SnapshotLibrary(
        directory: build.output, disk: SystemDisk(), trusted: [key.publicKey])
      generations.append(
        try Generation.open(try library.open(report.version.sequence), time: time, audiences: []))
    }
    return generations
  }

  private func baselines(
    _ known: InteractionTable, _ plan: ReplayPlan, titleCount: Int
  ) -> [Replay.Measured] {
    progress("baselines", 0)
    let wanted = ReplayPlan.wanted(known)
    let popularity = PopularityBaseline(titleCount: titleCount, wanted: wanted)
    let itemItem = ItemItemBaseline(titleCount: titleCount, wanted: wanted)
    var (popular, alike) = (Replay.Measured(name: "popularity"), Replay.Measured(name: "item-item"))
    for request in plan.requests {
      let most = popularity.best(Replay.candidateCount) { request.seen.contains($0) }
      popular.add(request.wanted, candidates: most, row: Array(most.prefix(Replay.rowCount)))
      let near = itemItem.best(Replay.candidateCount, for: request.history) { request.seen.contains($0) }
      alike.add(request.wanted, candidates: near, row: Array(near.prefix(Replay.rowCount)))
    }
    return [popular, alike]
  }
}
