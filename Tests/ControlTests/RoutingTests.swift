import Base
import Control
import Testing

@Suite("Routing")
struct RoutingTests {
  private let fleet = TestFleet(regions: ["east": ["e:1"], "north": ["n1:1", "n2:1"], "south": ["s1:1"]])
  private let directory = TemporaryDirectory()
  private let time = ManualTime(now: TestFleet.start)

  private func node() throws -> ControlNode { try fleet.node(at: directory, time: time) }

  @Test("of two operators at once one wins, the other is told the epoch")
  func compareAndSwap() async throws {
    let node = try node()
    let epoch = await node.routing.epoch
    let table = try await node.route(
      RoutingOrder(from: "north", to: "south", expectedEpoch: epoch), by: "one")
    #expect(table.epoch == epoch + 1)
    #expect(table.region(named: "north")?.failedOverTo == "south")
    let second = await fault {
      try await node.route(RoutingOrder(from: "north", to: "east", expectedEpoch: epoch), by: "two")
    }
    #expect(second?.code == .aborted)
    #expect(second?.metadata[RoutingMetadata.epoch] == String(epoch + 1))
    #expect(await node.routing == table)
  }

  @Test("an order that makes no sense is a failed precondition and changes nothing")
  func preconditions() async throws {
    let node = try node()
    let first = await node.routing.epoch
    try await node.route(RoutingOrder(from: "north", to: "south", expectedEpoch: first), by: "me")
    let table = await node.routing
    for (from, to) in [
      ("nowhere", "south"), ("east", "nowhere"), ("east", "east"), ("north", "east"), ("east", "north"),
      ("east", ""),
      ("", "east"),
    ] {
      let fault = await fault {
        try await node.route(RoutingOrder(from: from, to: to, expectedEpoch: table.epoch), by: "me")
      }
      #expect(fault?.code == .failedPrecondition, "\(from) to \(to)")
      #expect(fault?.metadata[RoutingMetadata.epoch] == String(table.epoch))
    }
    #expect(await node.routing == table)
  }

  @Test("a confirmed failover is there after a restart, and failback ends it under the next epoch")
  func survives() async throws {
    let confirmed: RoutingTable
    do {
      let node = try node()
      let epoch = await node.routing.epoch
      confirmed = try await node.route(
        RoutingOrder(from: "north", to: "south", expectedEpoch: epoch), by: "me")
      try await node.close()
    }
    let node = try node()
    #expect(await node.routing == confirmed)
    let back = try await node.route(
      RoutingOrder(from: "north", to: "", expectedEpoch: confirmed.epoch), by: "me")
    #expect(back.region(named: "north")?.failedOverTo == "" && back.epoch == confirmed.epoch + 1)
    #expect(try node.registry.audit(count: 1).first?.what == "failback north, epoch \(back.epoch)")
  }

  @Test("another fleet.yaml raises the epoch and keeps the failovers whose regions are still there")
  func reconfigured() async throws {
    do {
      let node = try node()
      try await node.route(RoutingOrder(from: "north", to: "south", expectedEpoch: 1), by: "me")
      try await node.route(RoutingOrder(from: "east", to: "south", expectedEpoch: 2), by: "me")
      try await node.close()
    }
    let smaller = TestFleet(regions: ["north": ["n1:1"], "south": ["s1:1"]])
    let node = try smaller.node(at: directory, time: time)
    let table = await node.routing
    #expect(table.epoch == 4)
    #expect(table.regions.map(\.name) == ["north", "south"])
    #expect(table.region(named: "north")?.failedOverTo == "south")
    #expect(await node.status().regions.map(\.name) == ["north", "south"])
    try await node.close()
    // Unchanged: the same epoch.
    #expect(await (try smaller.node(at: directory, time: time)).routing == table)
  }

  @Test("replicas are sent the routing once, and the newest only when the last was answered")
  func pushes() async throws {
    let node = try node()
    let replica = TestReplica("north", "n1")
    try await replica.connect(to: node)
    func epochs() -> [UInt64] {
      replica.received.compactMap { directive in
        if case .routing(let table) = directive.body { table.epoch } else { nil }
      }
    }
    #expect(epochs() == [1])
    try await node.route(RoutingOrder(from: "north", to: "south", expectedEpoch: 1), by: "me")
    try await node.route(RoutingOrder(from: "north", to: "", expectedEpoch: 2), by: "me")
    #expect(epochs() == [1])
    try await settle([replica], node)
    #expect(epochs() == [1, 3])
    #expect(replica.status.routingEpoch == 3)
    await replica.disconnect(from: node)
    try await replica.connect(to: node)
    #expect(epochs() == [1, 3])
  }

  @Test("a watcher gets the table now and each one after it; the end of the node ends it")
  func watches() async throws {
    let node = try node()
    var iterator = try await node.watchRouting().makeAsyncIterator()
    #expect(await iterator.next()?.epoch == 1)
    try await node.route(RoutingOrder(from: "north", to: "south", expectedEpoch: 1), by: "me")
    #expect(await iterator.next()?.epoch == 2)
    try await node.close()
    #expect(await iterator.next() == nil)
    #expect(
      await fault { try await node.route(RoutingOrder(from: "north", to: "", expectedEpoch: 2), by: "me") }
        != nil)
  }
}
