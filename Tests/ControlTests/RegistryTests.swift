import Base
import Control
import Snapshots
import Testing

@Suite("Registry")
struct RegistryTests {
  private let fleet = TestFleet()
  private let now = TestFleet.start

  private func changes() throws -> [FleetChange] {
    let one = fleet.snapshot(1)
    let version = try VerifiedManifest(one.envelope, trusted: fleet.configuration.trustedKeys)
    let summary = SnapshotSummary(
      sequence: 1, digest: version.digest, parent: 0, created: now, expires: now.advanced(bySeconds: 60),
      titleCount: 3, byteCount: 40, isWithdrawn: false)
    var region = FleetState.Region(name: "north")
    region.target = 1
    region.halted = "why"
    region.order = Digest(of: [1])
    let name = FleetState.ReplicaName(region: "north", replica: "n1")
    let refusal = Refusal(.corrupt, at: "here", "and so")
    let signed = fleet.order(from: 2, to: one)
    var table = fleet.configuration.routing(epoch: 4)
    table.regions[0].failedOverTo = "south"
    return [
      .published(summary, one.envelope), .offered(region: "north", sequence: 1),
      .offered(region: "south", sequence: 1), .region(region), .withdrawn(region: "south", above: 0),
      .refused(name, .init(sequence: 1, digest: version.digest, refusal: refusal)), .routing(table),
      .ordered(Digest(of: signed.payload), signed, try RollbackOrder(bytes: signed.payload)),
    ]
  }

  @Test("what was committed is there after opening the file again, to the last field")
  func reopens() throws {
    let directory = TemporaryDirectory()
    let path = "\(directory.path)/registry.sqlite"
    var expected = FleetState()
    let signed = fleet.order(from: 2, to: fleet.snapshot(1))
    do {
      let registry = try Registry(path: path)
      #expect(try registry.state() == expected)
      try registry.commit(try changes(), by: "me", what: "all", at: now)
      expected.apply(try changes())
      #expect(try registry.state() == expected)
      try registry.close()
    }
    let registry = try Registry(path: path)
    #expect(try registry.state() == expected)
    #expect(try registry.manifest(of: 1) == fleet.snapshot(1).envelope)
    #expect(try registry.manifest(of: 2) == nil)
    #expect(try registry.order(Digest(of: signed.payload)) == signed)
    #expect(try registry.audit(count: 5) == [.init(at: now, who: "me", what: "all")])
  }

  @Test("a verb with one bad change changes nothing")
  func allOrNone() throws {
    let directory = TemporaryDirectory()
    let registry = try Registry(path: "\(directory.path)/registry.sqlite")
    var region = FleetState.Region(name: "north")
    region.target = .max
    #expect(throws: Fault.self) {
      try registry.commit(try changes() + [.region(region)], by: "me", what: "bad", at: now)
    }
    #expect(try registry.state() == FleetState())
    #expect(try registry.audit(count: 5).isEmpty)
  }

  @Test("a forgotten snapshot takes its offers and refusals along, and its number is not used again")
  func forgets() throws {
    let directory = TemporaryDirectory()
    let registry = try Registry(path: "\(directory.path)/registry.sqlite")
    var expected = FleetState()
    for changes in [try changes(), [FleetChange.forgotten(1)]] {
      try registry.commit(changes, by: "me", what: "x", at: now)
      expected.apply(changes)
    }
    let state = try registry.state()
    #expect(state.snapshots.isEmpty && state.refused.isEmpty && state.newestSequence == 1)
    #expect(state.offers.values.flatMap(\.keys).isEmpty)
    #expect(state.regions == expected.regions && state.newestSequence == expected.newestSequence)
  }

  @Test("a second process on the same file is told so")
  func locks() throws {
    let directory = TemporaryDirectory()
    let path = "\(directory.path)/registry.sqlite"
    let registry = try Registry(path: path)
    #expect { try Registry(path: path) } throws: { ($0 as? Fault)?.code == .failedPrecondition }
    try registry.close()
    #expect(try Registry(path: path).state() == FleetState())
  }

  @Test("a damaged file is data loss, a directory that isn't there a failed precondition")
  func damaged() throws {
    let directory = TemporaryDirectory()
    let path = "\(directory.path)/registry.sqlite"
    try SystemDisk().writeDurably([UInt8](repeating: 0x41, count: 8192), to: path)
    #expect { try Registry(path: path) } throws: { ($0 as? Fault)?.code == .dataLoss }
    #expect { try Registry(path: "/nowhere/at/all.sqlite") } throws: {
      ($0 as? Fault)?.code == .failedPrecondition
    }
  }

  @Test("only the newest lines of the audit log are kept")
  func auditIsBounded() throws {
    let directory = TemporaryDirectory()
    let registry = try Registry(path: "\(directory.path)/registry.sqlite")
    for number in 0..<5 { try registry.commit([], by: "me", what: "\(number)", at: now) }
    #expect(try registry.audit(count: 2).map(\.what) == ["4", "3"])
    #expect(try registry.audit(count: -1).isEmpty)
  }
}
