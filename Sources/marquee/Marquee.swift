import ArgumentParser
import Base
import Catalogue
import Control
import Foundation
import MarqueeClient

/// The root of the command line.
@main
struct Marquee: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "marquee",
    abstract: "Personalised ranking at the edge.",
    discussion: """
      A control node publishes signed snapshots; replicas in regions serve Rank; operators steer.
      Output is for people; --json gives one JSON document. Exit codes: 0 done, 1 failed, 3 refused (a snapshot,
      a signature, a bad input), 4 can't be reached, 5 somebody else was faster, 64 wrong usage.
      """,
    version: Version.text,
    groupedSubcommands: [
      CommandGroup(name: "Set up", subcommands: [CertsCommand.self, KeysCommand.self]),
      CommandGroup(
        name: "Build",
        subcommands: [
          CatalogCommand.self, TrainCommand.self, ModelCommand.self, EvaluateCommand.self, PolicyCommand.self,
          SnapshotCommand.self,
        ]),
      CommandGroup(name: "Serve", subcommands: [ControlCommand.self, EdgeCommand.self]),
      CommandGroup(
        name: "Operate",
        subcommands: [
          PublishCommand.self, RollbackCommand.self, RestoreCommand.self, PinCommand.self, UnpinCommand.self,
          StatusCommand.self, RegionCommand.self,
        ]),
      CommandGroup(
        name: "Call",
        subcommands: [RankCommand.self, EventsCommand.self, RoutingCommand.self, LoadCommand.self]),
    ])

  static func main() async {
    do {
      var command = try parseAsRoot()
      if var running = command as? any AsyncParsableCommand {
        try await running.run()
      } else {
        try command.run()
      }
    } catch {
      guard let code = ExitStatus(of: error) else { exit(withError: error) }
      try? FileHandle.standardError.write(contentsOf: Data("marquee: \(code.text)\n".utf8))
      Foundation.exit(code.number)
    }
  }
}

enum Version {
  static let text = "0.1.0"
}

/// The exit code and the sentence for an error of ours; `nil` for those that are the argument parser's.
struct ExitStatus {
  var number: Int32
  var text: String

  init?(of error: any Error) {
    text = "\(error)"
    switch error {
    case let fault as Fault:
      text = fault.message
      number =
        switch fault.code {
        case .unavailable, .deadlineExceeded: 4
        case .aborted: 5
        case .invalidArgument, .permissionDenied, .unauthenticated, .failedPrecondition, .alreadyExists: 3
        default: fault.metadata["marquee-refusal"] == nil ? 1 : 3
        }
    case let refusal as Refusal:
      text = "refused, \(refusal)"
      number = 3
    case let error as MarqueeError:
      text = error.message
      number =
        switch error.code {
        case .unavailable, .deadlineExceeded: 4
        case .invalidArgument, .permissionDenied: 3
        default: 1
        }
    case is CatalogueFault, is ConfigurationFault: number = 3
    case is DiskFault: number = 1
    default: return nil
    }
  }
}
