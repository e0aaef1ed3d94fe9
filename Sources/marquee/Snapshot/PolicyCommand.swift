import ArgumentParser
import Base
import Features
import Serving

/// `marquee policy`: what snapshots carry as their policy.
struct PolicyCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "policy", abstract: "Show and check policies: rows, quotas, budgets, pins.",
    subcommands: [Default.self, Features.self, Validate.self])

  struct Default: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Print the default policy, as a file to start from.")

    func run() async throws {
      print(String(decoding: Policy.default.encode(), as: UTF8.self))
    }
  }

  struct Features: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Print the default feature definitions, as a file to start from.")

    func run() async throws {
      print(String(decoding: FeatureDefinitions().bytes, as: UTF8.self))
    }
  }

  struct Validate: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Check a policy file.", discussion: "Exit code 3 and the place when it is refused.")

    @Argument(help: "The file.", completion: .file()) var file: String

    func run() async throws {
      _ = try Policy.decode(SystemDisk().read(file, limit: 1 << 20))
      print("\(file) is a policy")
    }
  }
}
