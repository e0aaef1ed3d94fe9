import ArgumentParser
import Base
import Foundation
import MarqueeClient
import Wire

/// Where calls go: one replica, or through the client library.
struct CallOptions: ParsableArguments {
  @Option(parsing: .upToNextOption, help: "Replicas, host:port. With --follow any that answer will do.")
  var edge: [Address]
  @Flag(help: "Through the client library: learns the routing, retries, follows failovers.") var follow =
    false
  @Option(help: "With --follow: the home region.") var region = ""
  @Option(help: "Milliseconds until a call gives up.") var timeout = 1000
  @OptionGroup var identity: IdentityOptions

  func validate() throws {
    guard !edge.isEmpty else { throw ValidationError("name a replica with --edge host:port") }
    if follow && region.isEmpty { throw ValidationError("--follow needs --region, the home region") }
    guard timeout > 0 else { throw ValidationError("--timeout is in milliseconds, above 0") }
  }

  func client() throws -> MarqueeClient {
    var files: ClientConfiguration.TLSFiles?
    if let tls = try identity.tls(role: .edgeClient) {
      files = ClientConfiguration.TLSFiles(
        authorities: tls.authoritiesFile, certificate: tls.certificateChainFile ?? "",
        key: tls.privateKeyFile ?? "", trustDomain: tls.trustDomain,
        revocations: try tls.presentRevocationsFile())
    }
    var configuration = ClientConfiguration(seeds: edge.map(\.description), homeRegion: region, tls: files)
    configuration.rankTimeout = .milliseconds(timeout)
    return try MarqueeClient(configuration)
  }
}

/// `marquee rank`: rows for a profile.
struct RankCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "rank", abstract: "Ask for a profile's rows.")

  @Option(help: "Who for.") var profile: String
  @Option(help: "Two letters of ISO 3166-1: licences are by country.") var country: String
  @Option(help: "home, detail, …") var surface = "home"
  @Option(help: "The highest maturity, 1 to 18.") var maturityMax: Int = 18
  @Option(help: "Titles in a row at most.") var titlesPerRow: Int?
  @Option(help: "With --surface detail: the title that is looked at.") var title: String?
  @Flag(help: "Show each stage's time.") var debug = false
  @OptionGroup var call: CallOptions
  @OptionGroup var output: OutputOptions

  func run() async throws {
    let report = call.follow ? try await throughClient() : try await direct()
    try output.show(report) { report.text }
  }

  private func direct() async throws -> RankReport {
    guard let maturity = UInt8(exactly: maturityMax) else {
      throw Fault(.invalidArgument, "--maturity-max \(maturityMax) is not 1 to 18")
    }
    let request = RankRequest(
      requestID: UUID().uuidString, profileID: profile, surface: surface, country: country,
      maturityMax: maturity,
      titlesPerRow: titlesPerRow ?? 0, contextTitleID: title ?? "", debug: debug)
    return try await connected(to: call.edge[0], tls: try call.identity.tls(role: .edgeClient)) {
      connection in
      RankReport(
        try await RankingStub(connection).rank(
          request, deadline: SystemTime().instant.advanced(byMilliseconds: UInt64(call.timeout))))
    }
  }

  private func throughClient() async throws -> RankReport {
    let client = try call.client()
    do {
      let result = try await client.rank(
        RankQuery(
          profile: profile, country: country, surface: surface, maturityMax: maturityMax,
          titlesPerRow: titlesPerRow,
          contextTitle: title, debug: debug))
      await client.close()
      return RankReport(result)
    } catch {
      await client.close()
      throw error
    }
  }
}

/// A reply as the command prints it, whichever way it came.
private struct RankReport: Encodable {
  struct Row: Encodable {
    var id: String
    var name: String
    var titles: [Title]
  }

  struct Title: Encodable {
    var id: String
    var name: String
    var score: Float
    var source: String
  }

  struct Snapshot: Encodable {
    var sequence: UInt64
    var digest: String
    var space: String
    var model: String
    var features: String
    var policy: String
  }

  var requestId: String
  var rows: [Row]
  var snapshot: Snapshot
  var rungs: [String]
  var region: String
  var replica: String
  var routingEpoch: UInt64
  var stages: [String: Int]

  init(_ reply: RankReply) {
    requestId = reply.requestID
    rows = reply.rows.map { row in
      Row(
        id: row.id, name: row.name,
        titles: row.titles.map { Title(id: $0.id, name: $0.name, score: $0.score, source: "\($0.source)") })
    }
    let name = reply.snapshot
    snapshot = Snapshot(
      sequence: name.sequence, digest: name.digest, space: name.space, model: name.model,
      features: name.features,
      policy: name.policy)
    rungs = reply.rungs.map { "\($0)" }
    region = reply.region
    replica = reply.replica
    routingEpoch = reply.routingEpoch
    stages = Dictionary(reply.stages.map { ("\($0.stage)", Int($0.microseconds)) }) { first, _ in first }
  }

  init(_ result: RankResult) {
    requestId = result.requestID
    rows = result.rows.map { row in
      Row(
        id: row.id, name: row.name,
        titles: row.titles.map { Title(id: $0.id, name: $0.name, score: $0.score, source: $0.source) })
    }
    let name = result.snapshot
    snapshot = Snapshot(
      sequence: name.sequence, digest: name.digest, space: name.space, model: name.model,
      features: name.features,
      policy: name.policy)
    rungs = result.degradations
    region = result.region
    replica = result.replica
    routingEpoch = result.routingEpoch
    stages = Dictionary(result.stages.map { ($0.stage, $0.microseconds) }) { first, _ in first }
  }

  var text: String {
    var lines: [String] = []
    for row in rows {
      lines.append(row.name)
      for (place, title) in row.titles.enumerated() {
        lines.append(String(format: "  %2d  %.3f  ", place + 1, title.score) + "\(title.name)  [\(title.id)]")
      }
    }
    lines.append(
      "snapshot \(snapshot.sequence) (\(snapshot.digest.prefix(12))), \(replica) in \(region), routing epoch \(routingEpoch)"
    )
    if !rungs.isEmpty { lines.append("rungs taken: " + rungs.joined(separator: ", ")) }
    if !stages.isEmpty {
      lines.append(
        "µs: " + stages.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }.joined(separator: ", "))
    }
    return lines.joined(separator: "\n")
  }
}
