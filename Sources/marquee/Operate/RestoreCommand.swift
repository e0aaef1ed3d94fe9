import ArgumentParser
import Base
import Snapshots
import Wire

/// `marquee restore`: serves a snapshot again that a rollback withdrew, by a signed order.
struct RestoreCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "restore", abstract: "Serve a withdrawn snapshot again, by a signed order.",
    discussion: """
      For a rollback that turns out to have been needless: the snapshot is the one that the rollback left, still on \
      every replica's disk. One that replicas have let go of is built under a new sequence and published instead.
      """)

  @Option(help: "The withdrawn sequence.") var to: UInt64
  @Option(help: "Only this region; all of them when not said.") var region = ""
  @Option(help: "The signing key's file, which fleet.yaml trusts.", completion: .file()) var key: String
  @Option(help: "Seconds for which the order is good.") var expires: Int64 = 600
  @OptionGroup var control: ControlOptions
  @OptionGroup var output: OutputOptions

  func run() async throws {
    let key = try SigningKeyFile.read(key)
    let status = try await control.call { operations, deadline in
      let status = try await operations.status(deadline: deadline)
      guard let snapshot = status.snapshots.first(where: { $0.sequence == to }) else {
        throw Fault(.notFound, "the control node has no snapshot \(to)")
      }
      let served = status.regions.filter { region.isEmpty || $0.name == region }.map(\.target)
      // Regions that serve it already stay; the others must be at one sequence, or each takes an order of its own.
      guard let from = served.filter({ $0 != to }).max(), from < to else {
        throw Fault(
          .failedPrecondition, "nothing to restore: \(served.max() ?? 0) is what is served")
      }
      let now = SystemTime().now
      let order = RollbackOrder(
        region: region, fromSequence: from, toSequence: to, toDigest: snapshot.digest, issued: now,
        expires: now.advanced(bySeconds: expires))
      return try await operations.rollback(
        SignedBytes(signing: order.bytes, purpose: .rollback, key: key), deadline: deadline)
    }
    try output.show(FleetReport(status)) { FleetReport(status).text }
  }
}
