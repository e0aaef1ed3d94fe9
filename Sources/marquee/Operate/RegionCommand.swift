import ArgumentParser
import Base
import Wire

/// `marquee region`: which region serves whom.
struct RegionCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "region", abstract: "Fail a region over to another, and back.",
    subcommands: [Failover.self, Failback.self])

  struct Failover: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Let another region serve in a region's place.",
      discussion: """
        A new routing epoch, durable before it is confirmed. Replicas of the region drain; clients that ask anybody \
        get the new routing. When another operator was faster the command ends with exit code 5 and changes nothing.
        """)

    @Argument(help: "The region to leave.") var from: String
    @Option(help: "The region that takes over.") var to: String
    @OptionGroup var epoch: EpochOptions
    @OptionGroup var control: ControlOptions
    @OptionGroup var output: OutputOptions

    func run() async throws {
      let table = try await epoch.route(from: from, to: to, control)
      try output.show(RoutingReport(table)) { RoutingReport(table).text }
    }
  }

  struct Failback: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Let a region serve by itself again.")

    @Argument(help: "The region to go back to.") var region: String
    @OptionGroup var epoch: EpochOptions
    @OptionGroup var control: ControlOptions
    @OptionGroup var output: OutputOptions

    func run() async throws {
      let table = try await epoch.route(from: region, to: "", control)
      try output.show(RoutingReport(table)) { RoutingReport(table).text }
    }
  }
}

/// `--expect-epoch`: what the operator saw.
struct EpochOptions: ParsableArguments {
  @Option(help: "Only if this is still the routing's epoch; the one of this moment when not said.")
  var expectEpoch: UInt64?

  func route(from: String, to: String, _ control: ControlOptions) async throws -> RoutingTable {
    try await control.call { operations, deadline in
      var expected = expectEpoch
      if expected == nil { expected = try await operations.status(deadline: deadline).routing.epoch }
      return try await operations.route(
        RoutingOrder(from: from, to: to, expectedEpoch: expected ?? 0), deadline: deadline)
    }
  }
}
