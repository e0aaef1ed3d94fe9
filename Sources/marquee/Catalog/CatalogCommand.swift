import ArgumentParser
import Base
import Catalogue
import Foundation

/// `marquee catalog`: catalogue workspaces, from files of others or from the generator.
struct CatalogCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "catalog", abstract: "Import or generate a catalogue workspace.",
    discussion: "A workspace holds titles.jsonl and interactions.csv; docs/catalogue.md is their schema.",
    subcommands: [Import.self, Generate.self])

  struct Import: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "From files of others.", subcommands: [MovieLens.self, KuaiRand.self, JSONL.self])
  }

  struct MovieLens: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "movielens",
      abstract: "From MovieLens: movies.csv, ratings.csv or ratings.csv.gz, tags.csv.")

    @Argument(help: "The directory with MovieLens' files.", completion: .directory) var directory: String
    @Option(help: "The workspace to make.", completion: .directory) var out: String
    @OptionGroup var output: OutputOptions

    func run() async throws {
      let progress = Progress()
      let workspace = try MovieLensImport.run(directory: directory, to: out) {
        progress.show("\($0) lines", fraction: nil)
      }
      try show(workspace, output)
    }
  }

  struct KuaiRand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "kuairand",
      abstract: "From KuaiRand: videos.csv, impressions.csv, history.jsonl, each plain or .gz.")

    @Argument(help: "The directory with KuaiRand's files.", completion: .directory) var directory: String
    @Option(help: "The workspace to make.", completion: .directory) var out: String
    @OptionGroup var output: OutputOptions

    func run() async throws {
      let progress = Progress()
      let workspace = try KuaiRandImport.run(directory: directory, to: out) {
        progress.show("\($0) lines", fraction: nil)
      }
      try show(workspace, output)
    }
  }

  struct JSONL: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "jsonl", abstract: "From JSON lines, one title each (docs/catalogue.md).")

    @Argument(help: "The titles.", completion: .file()) var file: String
    @Option(help: "Who watched what, CSV: profile_id,title_id,kind,at_ms,progress.", completion: .file())
    var interactions: String?
    @Option(help: "The workspace to make.", completion: .directory) var out: String
    @OptionGroup var output: OutputOptions

    func run() async throws {
      let progress = Progress()
      let workspace = try JSONLImport.run(titles: file, interactions: interactions, to: out) {
        progress.show("\($0) lines", fraction: nil)
      }
      try show(workspace, output)
    }
  }

  struct Generate: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "A synthetic catalogue with clusters, power-law popularity, licences and histories.",
      discussion:
        "It says everywhere that it is synthetic. The same numbers and seed give the same catalogue.")

    @Option(help: "Titles.") var titles: Int
    @Option(help: "Profiles with histories.") var profiles: Int
    @Option(help: "Seed.") var seed: UInt64 = 1
    @Option(help: "What title ids begin with.") var idPrefix = "syn-"
    @Option(help: "Percent of the titles that differ from those without this option.") var changePercent:
      Double = 0
    @Option(help: "Seed of the changes.") var changeSeed: UInt64 = 0
    @Option(help: "The day that histories end, YYYY-MM-DD; today when not said.") var endsOn: String?
    @Option(help: "The workspace to make.", completion: .directory) var out: String
    @OptionGroup var output: OutputOptions

    func validate() throws {
      guard 1...Limits.titleCountMax ~= titles else {
        throw ValidationError("--titles is 1 to \(Limits.titleCountMax)")
      }
      guard 0...10_000_000 ~= profiles else { throw ValidationError("--profiles is 0 to 10000000") }
      guard 0...100 ~= changePercent else { throw ValidationError("--change-percent is 0 to 100") }
    }

    func run() async throws {
      var day = Day(of: SystemTime().now)
      if let endsOn {
        guard let given = Day(endsOn) else {
          throw Fault(.invalidArgument, "--ends-on \(endsOn) is not YYYY-MM-DD")
        }
        day = given
      }
      let progress = Progress()
      let workspace = try CatalogueGenerator(
        titleCount: titles, profileCount: profiles, seed: seed,
        endsAt: Timestamp(seconds: Int64(day.number) * 86_400), idPrefix: idPrefix,
        changePercent: changePercent,
        changeSeed: changeSeed
      ).write(to: out) { doneTitles, doneProfiles in
        progress.show(
          doneProfiles == 0 ? "titles" : "profiles",
          fraction: doneProfiles == 0
            ? Double(doneTitles) / Double(titles) : Double(doneProfiles) / Double(max(profiles, 1)))
      }
      progress.end()
      try show(workspace, output)
    }
  }
}

private func show(_ workspace: Workspace, _ output: OutputOptions) throws {
  let manifest = workspace.manifest
  try output.show(WorkspaceReport(workspace)) {
    "\(workspace.path): \(readable(count: manifest.titleCount)) titles, "
      + "\(readable(count: manifest.profileCount)) profiles, "
      + "\(readable(count: manifest.interactionCount)) interactions (\(manifest.origin))"
  }
}

private struct WorkspaceReport: Encodable {
  var path: String
  var origin: String
  var synthetic: Bool
  var titleCount: Int
  var profileCount: Int
  var interactionCount: Int

  init(_ workspace: Workspace) {
    path = workspace.path
    origin = workspace.manifest.origin
    synthetic = workspace.manifest.synthetic
    titleCount = workspace.manifest.titleCount
    profileCount = workspace.manifest.profileCount
    interactionCount = workspace.manifest.interactionCount
  }
}
