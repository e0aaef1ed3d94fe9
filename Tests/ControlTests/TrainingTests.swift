import Base
import Catalogue
@testable import Control
import Ranking
import Testing

@Suite("Training")
struct TrainingTests {
  private let directory = TemporaryDirectory()

  private func workspace(profiles: Int) throws -> String {
    let path = "\(directory.path)/workspace-\(profiles)"
    _ = try CatalogueGenerator(titleCount: 600, profileCount: profiles, seed: 3).write(to: path)
    return path
  }

  private func options(_ workspace: String) -> Training.Options {
    var options = Training.Options(workspace: workspace, output: "\(directory.path)/ranker")
    options.trainVisitCountMax = 500
    options.evaluationVisitCountMax = 60
    options.epochCountMax = 6
    return options
  }

  @Test("a trained ranker is a segment of the features of serving, and beats both baselines")
  func trains() throws {
    // Similarity alone finds most of what generated profiles like: to beat it takes more rows than to run.
    var options = options(try workspace(profiles: 400))
    options.trainVisitCountMax = 2000
    options.evaluationVisitCountMax = 300
    options.epochCountMax = 12
    let report = try Training(options, time: ManualTime(now: TestFleet.start)).run()
    let model = try RankerModel(
      opening: MappedBytes(path: "\(directory.path)/ranker"), name: "ranker")
    #expect(model.features == CandidateFeatures.names)
    #expect(report.trainRowCount > 600 && report.testRowCount > 60 * 40)
    for measures in report.measures {
      #expect(measures.auc > 0.5 && measures.auc <= 1 && measures.ndcg10 > 0 && measures.logLoss > 0)
    }
    #expect(report.ranker.auc > report.similarity.auc)
    #expect(report.ranker.auc > report.popularity.auc)
    #expect(try SystemDisk().list("\(directory.path)/ranker.training").isEmpty)
  }

  @Test("the same workspace and seed train the same ranker")
  func deterministic() throws {
    let workspace = try workspace(profiles: 80)
    var bytes: [[UInt8]] = []
    for _ in 0..<2 {
      _ = try Training(options(workspace), time: ManualTime(now: TestFleet.start)).run()
      bytes.append(try SystemDisk().read("\(directory.path)/ranker", limit: 1 << 20))
    }
    #expect(bytes[0] == bytes[1])
  }

  /// The rows of titles that were taken to, before the cut.
  private func wantedRows(_ path: String) throws -> (rows: [[Float]], cut: Timestamp) {
    let training = Training(options(path), time: ManualTime(now: TestFleet.start))
    let scratch = try ScratchDirectory("\(directory.path)/scratch", disk: SystemDisk())
    let (sets, cut) = try training.rows(of: Workspace(path: path), scratch: scratch)
    let train = sets[.train]
    let rows = (0..<train.count).filter { train.labels[$0] == 1 }.map { row in
      Array(train.values[row * train.featureCount..<(row + 1) * train.featureCount])
    }
    return (rows, cut)
  }

  @Test("the wanted title stands anywhere in its group, so that ties say nothing")
  func order() throws {
    let path = try workspace(profiles: 60)
    let training = Training(options(path), time: ManualTime(now: TestFleet.start))
    let scratch = try ScratchDirectory("\(directory.path)/scratch", disk: SystemDisk())
    let rows = try training.rows(of: Workspace(path: path), scratch: scratch).0[.test]
    let ties = [Float](repeating: 0, count: rows.count)
    let ndcg = try #require(RankingMetrics.ndcg(scores: ties, labels: rows.labels, groups: rows.groups))
    // One wanted of 51 in any order comes to 0.09.
    #expect(ndcg < 0.25)
  }

  @Test("what comes after the cut changes no row before it")
  func noLeak() throws {
    let path = try workspace(profiles: 60)
    let original = try wantedRows(path)
    // The same catalogue, in which everybody later turns to one title.
    let other = "\(directory.path)/other"
    let source = try Workspace(path: path)
    let draft = try WorkspaceDraft(path: other, origin: "test", synthetic: true)
    let titles = try source.titles()
    var last = ""
    while let title = try titles.next() {
      last = title.id
      try draft.add(title)
    }
    let interactions = try source.interactions()
    while var interaction = try interactions.next() {
      // Not at once: how a visit ends is what a row before the cut foretells.
      if interaction.at.milliseconds > original.cut.milliseconds + Visit.gapMilliseconds {
        interaction.titleID = last
      }
      try draft.add(interaction)
    }
    _ = try draft.finish()
    let changed = try wantedRows(other)
    #expect(changed.cut == original.cut)
    #expect(original.rows.count > 100 && changed.rows == original.rows)
  }

  @Test("a workspace without interactions has nothing to learn from, and says so")
  func nothing() throws {
    #expect { try Training(options(try workspace(profiles: 0))).run() } throws: {
      ($0 as? Fault)?.code == .failedPrecondition
    }
    var wrong = options(try workspace(profiles: 20))
    wrong.trainShare = 1
    #expect { try Training(wrong).run() } throws: { ($0 as? Fault)?.code == .invalidArgument }
  }
}
