import Base
import Control
import Testing

@Suite("Fleet configuration")
struct FleetConfigurationTests {
  private static let key = String(repeating: "ab", count: 32)

  private func read(_ text: String, files: [String: String] = [:]) throws -> FleetConfiguration {
    let directory = TemporaryDirectory()
    for (name, content) in files.merging(["fleet.yaml": text], uniquingKeysWith: { $1 }) {
      try SystemDisk().writeDurably(Array(content.utf8), to: "\(directory.path)/\(name)")
    }
    return try FleetConfiguration(path: "\(directory.path)/fleet.yaml", disk: SystemDisk())
  }

  private func fault(_ text: String, files: [String: String] = [:]) throws -> ConfigurationFault {
    do {
      _ = try read(text, files: files)
    } catch let fault as ConfigurationFault {
      return fault
    }
    throw Missing()
  }

  private struct Missing: Error {}

  private static let good = """
    version: 1
    trusted_keys: ["\(key)"]
    regions:
      - name: north
        replicas: ["127.0.0.1:7101", "[::1]:7102"]
        fallbacks: [south]
      - south

    """
  private static let south = "name: south\nreplicas: [\"south-1.example:7201\"]\n"

  @Test("regions stand in place or in files of their own")
  func reads() throws {
    let fleet = try read(Self.good, files: ["south.yaml": Self.south])
    #expect(fleet.regions.map(\.name) == ["north", "south"])
    #expect(fleet.region(named: "north")?.replicas == ["127.0.0.1:7101", "[::1]:7102"])
    #expect(fleet.region(named: "north")?.fallbacks == ["south"])
    #expect(fleet.region(named: "south")?.replicas == ["south-1.example:7201"])
    #expect(fleet.trustedKeys.map(\.hex) == [Self.key])
    #expect(fleet.routing(epoch: 3).epoch == 3)
  }

  @Test("the example in the repository is right")
  func example() throws {
    let path = "\(directory(of: #filePath))/../../Regions/fleet.yaml"
    let fleet = try FleetConfiguration(path: path, disk: SystemDisk())
    #expect(fleet.regions.map(\.name) == ["north", "south"])
    #expect(fleet.regions.allSatisfy { $0.replicas.count == 2 && $0.fallbacks.count == 1 })
  }

  @Test(
    "a wrong line is named with line and column",
    arguments: [
      ("version: 2\nregions: []\n", 1, 10, "version"),
      ("regions: []\n", 1, 1, "no `version`"),
      ("version: 1\nregion: []\n", 2, 1, "`region` is not known"),
      ("version: 1\nregions: []\n", 2, 10, "no region"),
      ("version: 1\nregions: 3\n", 2, 10, "not a list"),
      ("version: 1\nregions: [\n", 3, 1, "YAML"),
      ("version: 1\nversion: 1\n", 1, 1, "twice"),
      ("version: 1\ntrusted_keys: [abc]\nregions: []\n", 2, 16, "not a public key"),
      ("version: 1\nregions:\n  - name: No\n    replicas: [\"h:1\"]\n", 3, 11, "no region name"),
      ("version: 1\nregions:\n  - name: a\n    replicas: []\n", 4, 15, "empty"),
      ("version: 1\nregions:\n  - name: a\n    replicas: [\"h\"]\n", 4, 16, "no address"),
      ("version: 1\nregions:\n  - name: a\n    replicas: [\"h:1\", \"h:1\"]\n", 4, 23, "replica already"),
      ("version: 1\nregions:\n  - name: a\n    replicas: [\"h:1\"]\n    fallbacks: [a]\n", 5, 17, "itself"),
      (
        "version: 1\nregions:\n  - name: a\n    replicas: [\"h:1\"]\n    fallbacks: [b]\n", 5, 17,
        "no region here"
      ),
      (
        "version: 1\nregions:\n  - name: a\n    replicas: [\"h:1\"]\n  - name: a\n    replicas: [\"h:2\"]\n",
        5, 11,
        "again"
      ),
      ("version: 1\nregions: [nowhere]\n", 2, 11, "nowhere.yaml"),
    ])
  func wrongLines(text: String, line: Int, column: Int, says: String) throws {
    let fault = try fault(text)
    #expect(fault.line == line)
    #expect(fault.column == column)
    #expect(fault.message.contains(says))
    #expect(fault.description.contains("fleet.yaml:\(line):\(column): "))
  }

  @Test("an error in a region's file names that file")
  func regionFile() throws {
    let fault = try fault(Self.good, files: ["south.yaml": "name: north\nreplicas: [\"h:1\"]\n"])
    #expect(fault.file.hasSuffix("south.yaml"))
    #expect(fault.line == 1)
    #expect(fault.message.contains("make the two agree"))
  }

  @Test("a file that isn't there, is empty or is not UTF-8 is a fault of the whole file")
  func wholeFile() throws {
    #expect(throws: ConfigurationFault.self) {
      try FleetConfiguration(path: "/nowhere/fleet.yaml", disk: SystemDisk())
    }
    #expect(try fault("").message == "is empty")
  }
}
