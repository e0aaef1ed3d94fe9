import Base
import Control
import Testing

@Suite("Rollout")
struct RolloutTests {
  private let fleet = TestFleet()
  private let directory = TemporaryDirectory()
  private let time = ManualTime(now: TestFleet.start)

  private func node() throws -> ControlNode { try fleet.node(at: directory, time: time) }

  private func region(_ name: String, of node: ControlNode) async -> FleetStatus.Region? {
    await node.status().regions.first { $0.name == name }
  }

  @Test("replicas of a region are announced to together, when the last of them has staged")
  func together() async throws {
    let node = try node()
    let replicas = ["n1", "n2"].map { TestReplica("north", $0) }
    for replica in replicas { try await replica.connect(to: node) }
    try await settle(replicas, node)
    try await node.publish(fleet.snapshot(1))
    #expect(replicas.map(\.stagesReceived) == [[1], [1]])
    try await replicas[0].step(node)
    #expect(replicas.flatMap(\.announcesReceived).isEmpty)
    #expect(await region("north", of: node)?.staging == 1)
    try await replicas[1].step(node)
    #expect(replicas.map(\.announcesReceived) == [[1], [1]])
    try await settle(replicas, node)
    #expect(replicas.map(\.status.serving) == [1, 1])
    let north = await region("north", of: node)
    #expect(north?.target == 1 && north?.staging == 0 && north?.halted == "")
    // A region without a connected replica waits.
    #expect(await region("south", of: node)?.staging == 1)
  }

  @Test("a replica that connects later is brought to the target, one that has it is sent nothing")
  func later() async throws {
    let node = try node()
    let (first, second) = (TestReplica("north", "n1"), TestReplica("north", "n2"))
    try await first.connect(to: node)
    try await node.publish(fleet.snapshot(1))
    try await settle([first], node)
    try await second.connect(to: node)
    try await settle([first, second], node)
    #expect(second.status.serving == 1)
    await second.disconnect(from: node)
    let before = second.received.count
    try await second.connect(to: node)
    try await settle([first, second], node)
    #expect(second.received.count == before)
  }

  @Test("a replica that is cut off while staging does not hold up the others")
  func cutOff() async throws {
    let node = try node()
    let (first, second) = (TestReplica("north", "n1"), TestReplica("north", "n2"))
    for replica in [first, second] { try await replica.connect(to: node) }
    try await settle([first, second], node)
    try await node.publish(fleet.snapshot(1))
    try await settle([first], node)
    #expect(first.status.serving == 0)
    await second.disconnect(from: node)
    try await settle([first], node)
    #expect(first.status.serving == 1)
  }

  @Test("a refusal halts the region with the reason, and the version is never sent to that replica again")
  func refusal() async throws {
    let bad = fleet.snapshot(1)
    let (first, second) = (TestReplica("north", "n1"), TestReplica("north", "n2"))
    second.refuse(bad)
    do {
      let node = try node()
      for replica in [first, second] { try await replica.connect(to: node) }
      try await node.publish(bad)
      try await settle([first, second], node)
      #expect([first, second].flatMap(\.announcesReceived).isEmpty)
      let north = await region("north", of: node)
      #expect(north?.halted.contains("n2 refused 1: golden_mismatch at golden/all") == true)
      #expect(north?.replicas.first { $0.name == "n2" }?.status.refused.map(\.digest) == [bad.digest])
      await second.disconnect(from: node)
      try await second.connect(to: node)
      try await settle([first, second], node)
      #expect(second.stagesReceived == [1])
      try await node.close()
    }
    // Nor after a restart of the control node.
    let node = try node()
    for replica in [first, second] {
      replica.lose()
      try await replica.connect(to: node)
    }
    try await settle([first, second], node)
    #expect(second.stagesReceived == [1])
    #expect(await region("north", of: node)?.halted.contains("n2 refused 1") == true)
    try await node.publish(fleet.snapshot(2))
    try await settle([first, second], node)
    #expect([first, second].map(\.status.serving) == [2, 2])
    #expect(await region("north", of: node)?.halted == "")
    // The operator sees it still.
    let replicas = await region("north", of: node)?.replicas
    #expect(replicas?.first { $0.name == "n2" }?.status.refused.map(\.sequence) == [1])
  }

  @Test("a refused announcement halts the region and is not repeated")
  func refusedAnnouncement() async throws {
    let node = try node()
    let (first, second) = (TestReplica("north", "n1"), TestReplica("north", "n2"))
    for replica in [first, second] { try await replica.connect(to: node) }
    let one = fleet.snapshot(1)
    try await node.publish(one)
    for replica in [first, second] {
      while replica.stagesReceived.isEmpty || replica.waiting > 0, try await replica.step(node),
        replica.announcesReceived.isEmpty
      {}
    }
    second.refuse(one)
    try await settle([first, second], node)
    #expect(first.status.serving == 1 && second.status.serving == 0)
    #expect(await region("north", of: node)?.halted.contains("n2 refused 1") == true)
    #expect(second.announcesReceived == [1])
  }

  @Test("a replica that acknowledges what it does not have is refused, not asked for ever")
  func lies() async throws {
    let node = try node()
    let liar = TestReplica("north", "n1")
    let id = try await node.attach(liar)
    try await node.receive(
      .hello(.init(region: "north", replica: "n1", address: "h:1", status: ReplicaStatus(routingEpoch: 1))),
      from: id)
    try await node.publish(fleet.snapshot(1))
    let nonce = try #require(liar.received.last?.nonce)
    try await node.receive(.acknowledged(nonce: nonce, status: ReplicaStatus(routingEpoch: 1)), from: id)
    #expect(liar.stagesReceived == [1])
    #expect(await region("north", of: node)?.halted.contains("without having it") == true)
  }

  @Test("a control node that stops between staging and announcing goes on after its restart")
  func resumes() async throws {
    let replicas = ["n1", "n2"].map { TestReplica("north", $0) }
    do {
      let node = try node()
      for replica in replicas { try await replica.connect(to: node) }
      try await settle(replicas, node)
      try await node.publish(fleet.snapshot(1))
      try await replicas[0].step(node)
      try await node.close()
    }
    for replica in replicas { replica.lose() }
    let node = try node()
    #expect(await region("north", of: node)?.staging == 1)
    for replica in replicas { try await replica.connect(to: node) }
    try await settle(replicas, node)
    #expect(replicas.map(\.status.serving) == [1, 1])
    #expect(replicas[0].stagesReceived == [1])
  }

  @Test("a newer publish takes the place of one that is being staged")
  func overtakes() async throws {
    let node = try node()
    let replica = TestReplica("north", "n1")
    try await replica.connect(to: node)
    try await node.publish(fleet.snapshot(1))
    try await node.publish(fleet.snapshot(2))
    try await settle([replica], node)
    #expect(replica.status.serving == 2)
    #expect(replica.announcesReceived == [2])
  }

  @Test("a snapshot for one region goes to no other, until it is published there too")
  func oneRegion() async throws {
    let node = try node()
    let (north, south) = (TestReplica("north", "n1"), TestReplica("south", "s1"))
    for replica in [north, south] { try await replica.connect(to: node) }
    let one = fleet.snapshot(1)
    try await node.publish(one, to: ["north"])
    try await settle([north, south], node)
    #expect(north.status.serving == 1 && south.status.serving == 0)
    let again = try await node.publish(one, to: ["south"])
    #expect(again.bytesReceived == 0)
    try await settle([north, south], node)
    #expect(south.status.serving == 1)
  }

  @Test("peers of a staging are the connected replicas of the region that have something")
  func peers() async throws {
    let node = try node()
    let (first, second) = (TestReplica("north", "n1"), TestReplica("north", "n2"))
    try await first.connect(to: node)
    try await node.publish(fleet.snapshot(1))
    try await settle([first], node)
    try await second.connect(to: node)
    let peers = second.received.compactMap { directive -> [String]? in
      if case .stage(_, let peers) = directive.body { peers } else { nil }
    }
    #expect(peers == [["n1:1"]])
  }

  @Test("a second stream of a replica takes the place of the first")
  func replaced() async throws {
    let node = try node()
    let (old, new) = (TestReplica("north", "n1"), TestReplica("north", "n1"))
    try await old.connect(to: node)
    try await new.connect(to: node)
    // Or it would go on serving, with nobody to tell it of a failover.
    #expect(old.wasEnded && !new.wasEnded)
    #expect(await fault { while try await old.step(node) {} }?.code == .aborted)
    #expect(await region("north", of: node)?.replicas.filter(\.isConnected).count == 1)
  }

  @Test("nonsense from a replica ends its stream with a clear fault")
  func nonsense() async throws {
    let node = try node()
    let replica = TestReplica("north", "n1")
    let id = try await node.attach(replica)
    #expect(
      await fault { try await node.receive(.changed(ReplicaStatus()), from: id) }?.code == .invalidArgument)
    func hello(
      _ region: String = "north", _ name: String = "n", _ address: String = "h:1", staged: [UInt64] = []
    ) -> FollowReport {
      .hello(.init(region: region, replica: name, address: address, status: ReplicaStatus(staged: staged)))
    }
    #expect(await fault { try await node.receive(hello("nowhere"), from: id) }?.code == .notFound)
    #expect(await fault { try await node.receive(hello("north", ""), from: id) }?.code == .invalidArgument)
    #expect(
      await fault { try await node.receive(hello("north", "n", "h"), from: id) }?.code == .invalidArgument)
    let many = hello(staged: Array(1...65))
    #expect(await fault { try await node.receive(many, from: id) }?.code == .invalidArgument)
    try await node.receive(hello(), from: id)
    #expect(await fault { try await node.receive(hello(), from: id) }?.code == .invalidArgument)
    // An answer to what was never asked changes nothing.
    try await node.receive(.acknowledged(nonce: 99, status: ReplicaStatus()), from: id)
    await node.detach(id)
    #expect(await fault { try await node.receive(hello(), from: id) }?.code == .aborted)
  }
}
