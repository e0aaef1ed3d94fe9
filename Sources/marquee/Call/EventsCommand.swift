import ArgumentParser
import Base
import Catalogue
import Features
import Foundation
import MarqueeClient
import Wire

/// `marquee events`: what people did, to the replicas.
struct EventsCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "events", abstract: "Record what people did.", subcommands: [Record.self, Replay.self])

  struct Record: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Record one event.",
      discussion: "Ends when it is on the replica's disk: the next Rank has seen it.")

    @Option(help: "Who.") var profile: String
    @Option(help: "What.") var title: String
    @Option(
      help: "impression, hover_skip, click, play, progress, complete, abandon, like, dislike or add_to_list.")
    var kind: String
    @Option(help: "How much has been seen, 0 to 1; 1 for complete when not said.") var progress: Float?
    @Option(help: "The event's id; one is made when not said. The same id twice counts once.") var id: String?
    @Option(help: "When, milliseconds since 1970 UTC; now when not said.") var atMs: Int64?
    @OptionGroup var call: CallOptions
    @OptionGroup var output: OutputOptions

    func run() async throws {
      guard let kind = Event.Kind(fileName: kind) else {
        throw Fault(.invalidArgument, "--kind \(kind): see `marquee events record --help` for the kinds")
      }
      let event = Event(
        id: id ?? UUID().uuidString, profileID: profile, titleID: title, kind: kind,
        at: atMs.map { Timestamp(milliseconds: $0) } ?? SystemTime().now,
        progress: progress ?? (kind == .complete ? 1 : 0))
      let report = try await EventSender(call).send([event])
      try output.show(report) { "recorded" + (report.duplicates > 0 ? ", known before" : "") }
    }
  }

  struct Replay: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Record a workspace's interactions as events, for some profiles or all.",
      discussion: """
        Their ids come from their content: replaying twice changes nothing. Events that are older than replicas take \
        (\(EventCheck.ageDaysMax) days) are left out and counted.
        """)

    @Argument(help: "The workspace.", completion: .directory) var workspace: String
    @Option(help: "Only these profiles: a file, one id a line.", completion: .file()) var profiles: String?
    @Option(help: "Only the newest events of each profile.") var newest = 60
    @Flag(help: "Shift each profile's events so that its newest one is now.") var asOfNow = false
    @OptionGroup var call: CallOptions
    @OptionGroup var output: OutputOptions

    func run() async throws {
      let began = SystemTime().instant
      let horizon = SystemTime().now.advanced(bySeconds: -(EventCheck.ageDaysMax - 1) * 86_400)
      let all = try read()
      let events = all.filter { $0.at > horizon }
      let progress = Progress()
      var report = RecordReport()
      report.tooOld = all.count - events.count
      let sender = try EventSender(call)
      for start in stride(from: 0, to: events.count, by: 20_000) {
        report.add(try await sender.send(Array(events[start..<min(start + 20_000, events.count)])))
        progress.show("recording", fraction: Double(start) / Double(max(events.count, 1)))
      }
      report.seconds = Double(SystemTime().instant.nanoseconds(since: began)) / 1e9
      try output.show(report) {
        "\(readable(count: report.accepted)) recorded, \(readable(count: report.duplicates)) of them known before, "
          + "\(readable(count: report.tooOld)) too old"
      }
    }

    private func read() throws -> [Event] {
      let wanted = try profiles.map { Set(try lines(of: $0)) }
      let workspace = try Workspace(path: workspace)
      let file = try workspace.interactions()
      var byProfile: [String: [Interaction]] = [:]
      while let interaction = try file.next() {
        if let wanted, !wanted.contains(interaction.profileID) { continue }
        byProfile[interaction.profileID, default: []].append(interaction)
      }
      let now = SystemTime().now.milliseconds
      return byProfile.keys.sorted().flatMap { profile in
        let mine = (byProfile[profile] ?? []).sorted { $0.at < $1.at }.suffix(newest)
        let shift = asOfNow ? now - (mine.last?.at.milliseconds ?? now) : 0
        return mine.map { interaction in
          var identity = Array("\(profile)\u{0}\(interaction.titleID)\u{0}\(interaction.kind.fileName)".utf8)
          identity.append(littleEndian: interaction.at.milliseconds)
          return Event(
            id: "replay-" + Digest(of: identity).hex.prefix(24), profileID: profile,
            titleID: interaction.titleID,
            kind: interaction.kind, at: Timestamp(milliseconds: interaction.at.milliseconds + shift),
            progress: interaction.progress)
        }
      }
    }
  }
}

private struct RecordReport: Encodable {
  var accepted = 0
  var duplicates = 0
  var tooOld = 0
  var seconds = 0.0

  mutating func add(_ other: RecordReport) {
    accepted += other.accepted
    duplicates += other.duplicates
  }
}

/// Sends events to one replica, or through the client library.
private struct EventSender {
  private let call: CallOptions

  init(_ call: CallOptions) throws { self.call = call }

  func send(_ events: [Event]) async throws -> RecordReport {
    guard call.follow else {
      return try await connected(to: call.edge[0], tls: try call.identity.tls(role: .edgeClient)) {
        connection in
        let receipt = try await EventsStub(connection).record(
          events, deadline: SystemTime().instant.advanced(byMilliseconds: UInt64(max(call.timeout, 30_000))))
        return RecordReport(accepted: receipt.acceptedCount, duplicates: receipt.duplicateCount)
      }
    }
    let client = try call.client()
    do {
      let result = try await client.record(events.map(ViewerEvent.init))
      await client.close()
      return RecordReport(accepted: result.accepted, duplicates: result.duplicates)
    } catch {
      await client.close()
      throw error
    }
  }
}

extension ViewerEvent {
  fileprivate init(_ event: Event) {
    let kind: Kind =
      switch event.kind {
      case .impression: .impression
      case .hoverSkip: .hoverSkip
      case .click: .click
      case .play: .play
      case .progress: .progress
      case .complete: .complete
      case .abandon: .abandon
      case .like: .like
      case .dislike: .dislike
      case .addToList: .addToList
      }
    self.init(
      id: event.id, profile: event.profileID, title: event.titleID, kind: kind,
      atMilliseconds: event.at.milliseconds, progress: event.progress)
  }
}
