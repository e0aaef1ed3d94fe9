import ArgumentParser
import Base
import Wire

/// `marquee status`: the fleet as the control node sees it.
struct StatusCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "status", abstract: "Snapshots, regions, replicas, refusals and the routing.")

  @OptionGroup var control: ControlOptions
  @OptionGroup var output: OutputOptions

  func run() async throws {
    let status = try await control.call { operations, deadline in
      try await operations.status(deadline: deadline)
    }
    try output.show(FleetReport(status)) { FleetReport(status).text }
  }
}
