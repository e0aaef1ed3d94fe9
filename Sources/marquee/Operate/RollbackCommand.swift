import ArgumentParser
import Base
import Snapshots
import Wire

/// `marquee rollback`: a signed order back to an older snapshot.
struct RollbackCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "rollback", abstract: "Go back to an older snapshot, by a signed order.",
    discussion: """
      Replicas still have the older generation mapped and switch at once. The snapshots left behind are withdrawn: \
      they don't come back by themselves, not when a pin is lifted either (`restore` brings one back). The order is worthless after --expires.
      """)

  @Option(help: "The sequence to go back to.") var to: UInt64
  @Option(help: "Only this region; all of them when not said.") var region = ""
  @Option(help: "The signing key's file, which fleet.yaml trusts.", completion: .file()) var key: String
  @Option(help: "Seconds for which the order is good.") var expires: Int64 = 600
  @OptionGroup var control: ControlOptions
  @OptionGroup var output: OutputOptions

  func run() async throws {
    let key = try SigningKeyFile.read(key)
    let status = try await control.call { operations, deadline in
      let status = try await operations.status(deadline: deadline)
      guard let target = status.snapshots.first(where: { $0.sequence == to }) else {
        throw Fault(.notFound, "the control node has no snapshot \(to)")
      }
      let from = status.regions.filter { region.isEmpty || $0.name == region }.map {
        max($0.target, $0.staging)
      }.max()
      guard let from, from > to else {
        throw Fault(.failedPrecondition, "nothing to go back from: \(from ?? 0) is what is served")
      }
      let now = SystemTime().now
      let order = RollbackOrder(
        region: region, fromSequence: from, toSequence: to, toDigest: target.digest, issued: now,
        expires: now.advanced(bySeconds: expires))
      return try await operations.rollback(
        SignedBytes(signing: order.bytes, purpose: .rollback, key: key), deadline: deadline)
    }
    try output.show(FleetReport(status)) { FleetReport(status).text }
  }
}
