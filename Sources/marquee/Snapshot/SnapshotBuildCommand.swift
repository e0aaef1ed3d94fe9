import ArgumentParser
import Base
import Control
import Features
import Foundation
import Serving
import Snapshots

/// `marquee snapshot build`: a catalogue workspace to a signed snapshot.
struct SnapshotBuildCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "build", abstract: "Embed, index and sign a catalogue workspace.",
    discussion: """
      With --parent, titles that did not change keep their bytes: only what changed travels. A tail of changed titles \
      beyond a fifth of the base makes a full build. The same inputs and seed give the same segments.
      """)

  @Argument(help: "The workspace, from `marquee catalog`.", completion: .directory) var workspace: String
  @Option(help: "The library to build into; made if it isn't there.", completion: .directory) var library:
    String
  @Option(help: "The signing key.", completion: .file()) var key: String
  @Option(help: "Build on this snapshot of the library.") var parent: UInt64?
  @Option(help: "The sequence to give it; the next one when not said.") var sequence: UInt64?
  @Option(
    help: "A ranker from `marquee train`; the parent's, else the built-in, when not said.",
    completion: .file())
  var ranker: String?
  @Option(help: "A policy file; the parent's, else the default, when not said.", completion: .file())
  var policy: String?
  @Option(help: "A feature definitions file (JSON).", completion: .file()) var features: String?
  @Option(help: "Days until replicas refuse it.") var expiresDays = 30
  @Option(help: "Seed of everything random in the build.") var seed: UInt64 = 1
  @Option(help: "Threads; the machine's cores when not said.") var threads: Int?
  @Option(help: "A line for people.") var description = ""
  @OptionGroup var output: OutputOptions

  func run() async throws {
    var options = SnapshotBuild.Options(
      workspace: workspace, output: library, key: try SigningKeyFile.read(key))
    options.parent = parent
    options.sequence = sequence
    options.rankerPath = ranker
    options.expiryDays = expiresDays
    options.seed = seed
    options.threads = threads ?? ProcessInfo.processInfo.activeProcessorCount
    options.description = description
    options.policy = try policyBytes()
    if let features {
      options.features = try FeatureDefinitions(bytes: SystemDisk().read(features, limit: 1 << 20))
    }
    let progress = Progress()
    let report = try SnapshotBuild(options, disk: SystemDisk(), time: SystemTime()) {
      progress.show($0.step.rawValue, fraction: $0.share)
    }.run()
    progress.end()
    try output.show(Report(report)) { report.line }
  }

  private func policyBytes() throws -> [UInt8]? {
    guard let policy else { return parent == nil ? Policy.default.encode() : nil }
    let bytes = try SystemDisk().read(policy, limit: 1 << 20)
    return try Policy.decode(bytes).encode()
  }

  private struct Report: Encodable {
    var sequence: UInt64
    var digest: String
    var parentSequence: UInt64?
    var isFull: Bool
    var titleCount: UInt64
    var tailCount: UInt64
    var bytesTotal: UInt64
    var bytesShared: UInt64
    var bytesNew: UInt64
    var indexRecall: Double?

    init(_ report: BuildReport) {
      sequence = report.version.sequence
      digest = report.version.digest.hex
      parentSequence = report.parentSequence
      isFull = report.isFull
      titleCount = UInt64(report.titleCount)
      tailCount = UInt64(report.tailCount)
      bytesTotal = report.bytesTotal
      bytesShared = report.bytesShared
      bytesNew = report.bytesNew
      indexRecall = report.indexRecall.map(Double.init)
    }
  }
}
