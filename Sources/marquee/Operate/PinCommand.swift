import ArgumentParser
import Base
import Wire

/// `marquee pin`: holds regions at a snapshot.
struct PinCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "pin", abstract: "Hold a region, or all, at a snapshot: new ones are staged, not served.")

  @Option(help: "Only this region; all of them when not said.") var region = ""
  @Option(help: "The sequence to hold; what is served now when not said.") var sequence: UInt64 = 0
  @OptionGroup var control: ControlOptions
  @OptionGroup var output: OutputOptions

  func run() async throws {
    let status = try await control.call { operations, deadline in
      try await operations.pin(PinOrder(region: region, sequence: sequence), deadline: deadline)
    }
    try output.show(FleetReport(status)) { FleetReport(status).text }
  }
}

/// `marquee unpin`: lets regions go on.
struct UnpinCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "unpin",
    abstract: "Let a region, or all, go on to the newest snapshot that is not withdrawn.")

  @Option(help: "Only this region; all of them when not said.") var region = ""
  @OptionGroup var control: ControlOptions
  @OptionGroup var output: OutputOptions

  func run() async throws {
    let status = try await control.call { operations, deadline in
      try await operations.unpin(region: region, deadline: deadline)
    }
    try output.show(FleetReport(status)) { FleetReport(status).text }
  }
}
