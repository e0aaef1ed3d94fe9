import Base
import Control
import Testing

/// A control node and its replicas in one process, driven from a seed: publishes, rollbacks, pins, failovers by two
/// operators, refusals, cut streams and crashes in any order.
@Suite("Simulation")
struct SimulationTests {
  @Test(
    "what was confirmed survives, nothing is announced early, nothing refused is sent again",
    arguments: 1...12)
  func random(seed: Int) async throws {
    let simulation = try Simulation(seed: UInt64(seed))
    for step in 0..<200 {
      try await simulation.step()
      try await simulation.check("seed \(seed) step \(step)")
    }
    try await simulation.finish("seed \(seed)")
  }
}

private final class Simulation {
  private let fleet = TestFleet()
  private let directory = TemporaryDirectory()
  private let time = ManualTime(now: TestFleet.start)
  private var random: SplitMix
  private var node: ControlNode
  private let replicas: [TestReplica]
  private var snapshots: [UInt64: TestSnapshot] = [:]
  private var nextSequence: UInt64 = 1
  /// What operators were told, and what must hold from then on.
  private var confirmedSequences: Set<UInt64> = []
  private var confirmedEpoch: UInt64 = 0
  private var confirmedTable: RoutingTable?
  private var withdrawn: [String: Set<UInt64>] = [:]
  private var announced: [String: Set<UInt64>] = [:]
  private var refused: [String: Set<UInt64>] = [:]
  private var stagesSeen: [String: Int] = [:]
  /// The epoch that each of two operators has in view; they look at different times.
  private var operators: [UInt64] = [1, 1]

  init(seed: UInt64) throws {
    random = SplitMix(seed: seed)
    node = try fleet.node(at: directory, time: time)
    replicas = [
      TestReplica("north", "n1"), TestReplica("north", "n2"), TestReplica("north", "n3"),
      TestReplica("south", "s1"), TestReplica("south", "s2"),
    ]
  }

  func step() async throws {
    time.advance(milliseconds: Int64.random(in: 0...2000, using: &random))
    let replica = replicas[Int.random(in: 0..<replicas.count, using: &random)]
    switch Int.random(in: 0..<100, using: &random) {
    case 0..<60:
      try await replica.step(node)
      note(replica)
    case 60..<72: if !replica.isConnected { try await replica.connect(to: node) }
    case 72..<77: await replica.disconnect(from: node)
    case 77..<84: try await publish()
    case 84..<87: try await rollback()
    case 87..<89:
      let region = replica.region
      _ = await fault { try await self.node.pin(region: region, sequence: 0, by: "op") }
    case 89..<91:
      let region = replica.region
      _ = await fault { try await self.node.unpin(region: region, by: "op") }
    case 91..<97: try await route()
    default: try await crash()
    }
  }

  private func publish() async throws {
    let snapshot = fleet.snapshot(nextSequence, created: time.now)
    nextSequence += 1
    snapshots[snapshot.sequence] = snapshot
    for replica in replicas where Int.random(in: 0..<12, using: &random) == 0 { replica.refuse(snapshot) }
    // Some break off: then it is not confirmed, and the number stays free or is used later.
    var sent = snapshot
    if Int.random(in: 0..<5, using: &random) == 0 { sent.chunks.removeLast() }
    let fault = await fault { try await self.node.publish(sent) }
    if fault == nil { confirmedSequences.insert(snapshot.sequence) }
    #expect((fault == nil) == (sent.chunks.count == 2))
  }

  private func rollback() async throws {
    let status = await node.status()
    guard let region = status.regions.randomElement(using: &random), region.target > 1 else { return }
    let older = snapshots.keys.filter { $0 < region.target }.sorted()
    guard let sequence = older.randomElement(using: &random), let target = snapshots[sequence] else { return }
    let from = max(region.target, region.staging)
    let order = fleet.order(region: region.name, from: from, to: target, issued: time.now)
    guard await fault({ try await self.node.rollback(order, by: "op") }) == nil else { return }
    withdrawn[region.name, default: []].formUnion(confirmedSequences.filter { $0 > sequence })
    // A step back does not wait for all: who has it goes at once.
    announced[region.name, default: []].insert(sequence)
  }

  private func route() async throws {
    let who = Int.random(in: 0..<2, using: &random)
    if Bool.random(using: &random) { operators[who] = await node.routing.epoch }
    let pair = Bool.random(using: &random) ? ("north", "south") : ("south", "north")
    let order = RoutingOrder(
      from: pair.0, to: Bool.random(using: &random) ? pair.1 : "", expectedEpoch: operators[who])
    let before = await node.routing.epoch
    do {
      let table = try await node.route(order, by: "operator \(who)")
      #expect(order.expectedEpoch == before)
      #expect(table.epoch == before + 1)
      confirmedEpoch = table.epoch
      confirmedTable = table
    } catch {
      #expect(error.code == (order.expectedEpoch == before ? .failedPrecondition : .aborted))
      #expect(await node.routing.epoch == before)
    }
  }

  /// As after kill -9: everything in memory is gone, streams and all.
  private func crash() async throws {
    let before = try node.registry.state()
    try await node.close()
    for replica in replicas { replica.lose() }
    node = try fleet.node(at: directory, time: time)
    #expect(try node.registry.state() == before)
  }

  /// What this replica refused so far.
  private func note(_ replica: TestReplica) {
    for (sequence, snapshot) in snapshots where replica.hasRefused(snapshot.digest) {
      refused[replica.name, default: []].insert(sequence)
    }
  }

  func check(_ place: String) async throws {
    let status = await node.status()
    #expect(confirmedSequences.isSubset(of: Set(status.snapshots.map(\.sequence))), "\(place)")
    #expect(status.routing.epoch >= confirmedEpoch, "\(place)")
    if let confirmedTable, status.routing.epoch == confirmedEpoch {
      #expect(status.routing == confirmedTable)
    }
    for region in status.regions {
      let members = replicas.filter { $0.region == region.name }
      for sequence in withdrawn[region.name] ?? [] {
        #expect(region.target != sequence && region.staging != sequence, "\(place): \(sequence) came back")
      }
      // The first announcement of a version in the region: every connected replica has it.
      for sequence in Set(members.flatMap(\.announcesReceived)) {
        guard announced[region.name, default: []].insert(sequence).inserted else { continue }
        let lacking = members.filter { $0.isConnected && !$0.status.staged.contains(sequence) }
        #expect(lacking.isEmpty, "\(place): \(sequence) announced, \(lacking.map(\.name)) had not staged it")
      }
    }
    for replica in replicas {
      let stages = replica.stagesReceived
      for sequence in refused[replica.name] ?? []
      where stages.dropFirst(stagesSeen["\(replica.name)"] ?? 0).contains(sequence) {
        #expect(Bool(false), "\(place): \(sequence) was sent to \(replica.name) again")
      }
      stagesSeen[replica.name] = stages.count
    }
  }

  /// With everybody connected and nothing going wrong any more, the fleet comes to rest where it should.
  func finish(_ place: String) async throws {
    for replica in replicas where !replica.isConnected { try await replica.connect(to: node) }
    let last = fleet.snapshot(nextSequence, created: time.now)
    for region in ["north", "south"] {
      _ = await fault { try await self.node.unpin(region: region, by: "op") }
    }
    try await node.publish(last)
    try await settle(replicas, node)
    let table = await node.routing
    for replica in replicas {
      #expect(replica.status.serving == last.sequence, "\(place): \(replica.name)")
      #expect(replica.status.routingEpoch == table.epoch, "\(place): \(replica.name)")
      #expect(replica.waiting == 0)
    }
    #expect(await node.status().regions.allSatisfy { $0.halted.isEmpty && $0.staging == 0 }, "\(place)")
  }
}
