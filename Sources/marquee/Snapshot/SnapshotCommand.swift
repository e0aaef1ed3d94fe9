import ArgumentParser
import Base
import Catalogue
import Foundation
import Serving
import Snapshots

/// `marquee snapshot`: build, look at, check and compare snapshots.
struct SnapshotCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "snapshot", abstract: "Build, look at, check and compare snapshots.",
    subcommands: [SnapshotBuildCommand.self, List.self, Inspect.self, Verify.self, Diff.self])

  struct List: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "The snapshots of a library.")

    @OptionGroup var library: LibraryOptions
    @OptionGroup var output: OutputOptions

    func run() async throws {
      let library = try library.open()
      let reports = library.snapshots.map { ManifestReport($0, segments: false) }
      try output.show(reports) {
        var table = Table("SEQUENCE", "DIGEST", "TITLES", "SIZE", "PARENT", "CREATED", "DESCRIPTION")
        for report in reports {
          table.add(
            "\(report.sequence)", String(report.digest.prefix(12)), readable(count: report.titleCount),
            readable(bytes: report.bytesTotal), report.parentSequence == 0 ? "-" : "\(report.parentSequence)",
            report.created, report.description)
        }
        return ([table.text] + library.damaged.map { "damaged: \($0.path): \($0.refusal)" }).joined(
          separator: "\n")
      }
    }
  }

  struct Inspect: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "What a snapshot's manifest says.")

    @Argument(help: "Its sequence; the newest when not said.") var sequence: UInt64?
    @OptionGroup var library: LibraryOptions
    @OptionGroup var output: OutputOptions

    func run() async throws {
      let report = ManifestReport(try library.open().version(sequence), segments: true)
      try output.show(report) { report.text }
    }
  }

  struct Verify: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Check a snapshot whole: signature, every byte, every segment's bounds, the golden queries.",
      discussion: "Exit code 3 and the place when it is refused.")

    @Argument(help: "Its sequence; the newest when not said.") var sequence: UInt64?
    @OptionGroup var library: LibraryOptions
    @OptionGroup var output: OutputOptions

    func run() async throws {
      let library = try library.open()
      let version = try library.version(sequence)
      let began = SystemTime().instant
      let snapshot = try library.open(version.sequence)
      let bytesDone = SystemTime().instant
      let generation = try Generation.open(snapshot, time: SystemTime())
      let end = SystemTime().instant
      let report = VerifyReport(
        sequence: version.sequence, digest: version.digest.hex, keyId: version.envelope.keyID,
        titleCount: UInt64(generation.catalogue.liveCount), bytesTotal: version.manifest.byteCount,
        bytesMs: Double(bytesDone.nanoseconds(since: began)) / 1e6,
        openMs: Double(end.nanoseconds(since: bytesDone)) / 1e6)
      try output.show(report) {
        String(
          format:
            "snapshot %llu is whole: %@ of bytes checked in %.0f ms, opened and golden queries answered in %.0f ms",
          report.sequence, readable(bytes: report.bytesTotal), report.bytesMs, report.openMs)
      }
    }
  }

  struct Diff: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "What travels from one snapshot to another, segment by segment.")

    @Argument(help: "The sequence that a replica has.") var from: UInt64
    @Argument(help: "The sequence that it is to have.") var to: UInt64
    @OptionGroup var library: LibraryOptions
    @OptionGroup var output: OutputOptions

    func run() async throws {
      let library = try library.open()
      let diff = SnapshotDiff(from: try library.version(from).manifest, to: try library.version(to).manifest)
      let report = DiffReport(diff)
      try output.show(report) {
        var table = Table("SEGMENT", "CHANGE", "SIZE", "TO MOVE", "CHUNKS")
        for segment in report.segments {
          table.add(
            segment.segment, segment.change, readable(bytes: segment.bytesTotal),
            readable(bytes: segment.bytesToMove),
            "\(segment.chunksToMove)")
        }
        return table.text
          + String(
            format: "\n%@ of %@ to move, %.2f %%", readable(bytes: report.bytesToMove),
            readable(bytes: report.bytesTotal), report.percent)
      }
    }
  }
}

private struct VerifyReport: Encodable {
  var sequence: UInt64
  var digest: String
  var keyId: String
  var titleCount: UInt64
  var bytesTotal: UInt64
  var bytesMs: Double
  var openMs: Double
}

private struct DiffReport: Encodable {
  struct Segment: Encodable {
    var segment: String
    var change: String
    var bytesTotal: UInt64
    var bytesToMove: UInt64
    var chunksToMove: Int
  }

  var bytesTotal: UInt64
  var bytesShared: UInt64
  var bytesToMove: UInt64
  var percent: Double
  var segments: [Segment]

  init(_ diff: SnapshotDiff) {
    bytesTotal = diff.byteCount
    bytesShared = diff.bytesShared
    bytesToMove = diff.bytesToMove
    percent = 100 * Double(diff.bytesToMove) / Double(max(diff.byteCount, 1))
    segments = diff.segments.map {
      Segment(
        segment: "\($0.key.kind)/\($0.key.name)", change: "\($0.change)", bytesTotal: $0.byteCount,
        bytesToMove: $0.bytesToMove, chunksToMove: $0.chunksToMove)
    }
  }
}
