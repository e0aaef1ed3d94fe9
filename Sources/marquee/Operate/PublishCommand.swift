import ArgumentParser
import Base
import Snapshots
import Wire

/// `marquee publish`: a built snapshot to the control node, which rolls it out.
struct PublishCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "publish", abstract: "Send a snapshot to the control node, for some regions or all.",
    discussion: """
      Only the chunks that the control node lacks travel. The command ends when the snapshot is durable and verified \
      there; replicas fetch it after that: `marquee status` shows how far they are.
      """)

  @OptionGroup var library: LibraryOptions
  @Option(help: "Which snapshot; the newest when not said.") var sequence: UInt64?
  @Option(help: "Only these regions; all of them when not said.") var region: [String] = []
  @OptionGroup var control: ControlOptions
  @OptionGroup var output: OutputOptions

  func run() async throws {
    let library = try library.open()
    let version = try library.version(sequence)
    let progress = Progress()
    let receipt = try await control.call { operations, deadline in
      let missing = try await operations.missingChunks(version.envelope, deadline: deadline)
      var next = missing.startIndex
      return try await operations.publish(
        PublishOrder(manifest: version.envelope, regions: region), deadline: nil
      ) {
        guard next < missing.endIndex else { return nil }
        progress.show("publishing", fraction: Double(next) / Double(missing.count))
        guard let chunk = try library.chunk(missing[next]) else {
          throw Fault(.dataLoss, "chunk \(missing[next].short) is not in the library any more: build again")
        }
        next += 1
        return chunk
      }
    }
    try output.show(
      Report(
        sequence: receipt.sequence, digest: receipt.digest.hex, bytesReceived: receipt.bytesReceived,
        bytesTotal: receipt.bytesTotal)
    ) {
      "snapshot \(receipt.sequence) (\(receipt.digest.short)) published: \(readable(bytes: receipt.bytesReceived)) "
        + "of \(readable(bytes: receipt.bytesTotal)) travelled"
    }
  }

  private struct Report: Encodable {
    var sequence: UInt64
    var digest: String
    var bytesReceived: UInt64
    var bytesTotal: UInt64
  }
}
