import ArgumentParser
import Base
import Wire

/// `marquee routing`: the table, from anybody who serves.
struct RoutingCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "routing", abstract: "Ask a replica or the control node where to call.")

  @Option(help: "A replica or the control node, host:port.") var from: Address
  @OptionGroup var identity: IdentityOptions
  @OptionGroup var output: OutputOptions

  func run() async throws {
    let table = try await connected(to: from, tls: try identity.tls(role: .edgeClient)) { connection in
      try await RoutingStub(connection).get(deadline: SystemTime().instant.advanced(byMilliseconds: 10_000))
    }
    try output.show(RoutingReport(table)) { RoutingReport(table).text }
  }
}
