import Base
import Control
import Snapshots
import Synchronization
import Testing

@Suite("Operations")
struct OperationsTests {
  private let fleet = TestFleet()
  private let directory = TemporaryDirectory()
  private let time = ManualTime(now: TestFleet.start)

  private func node() throws -> ControlNode { try fleet.node(at: directory, time: time) }

  private func region(_ name: String, of node: ControlNode) async -> FleetStatus.Region? {
    await node.status().regions.first { $0.name == name }
  }

  /// One replica of each region, serving the snapshots in turn.
  private func serving(_ snapshots: [TestSnapshot], node: ControlNode) async throws -> [TestReplica] {
    let replicas = [TestReplica("north", "n1"), TestReplica("south", "s1")]
    for replica in replicas { try await replica.connect(to: node) }
    for snapshot in snapshots {
      try await node.publish(snapshot)
      try await settle(replicas, node)
    }
    return replicas
  }

  private func refusal(_ fault: Fault?) -> String? { fault?.metadata["marquee-refusal"] }

  @Test("each wrong publish is refused with its own code, and nothing is kept of it")
  func wrongPublishes() async throws {
    let node = try node()
    try await node.publish(fleet.snapshot(5))
    let stranger = try #require(PrivateKey(seed: [UInt8](repeating: 9, count: 32)))
    var forged = fleet.snapshot(6)
    forged.envelope.signature[0] ^= 1
    var broken = fleet.snapshot(6)
    broken.chunks[1][0] ^= 1
    var short = fleet.snapshot(6)
    short.chunks.removeLast()
    let cases: [(TestSnapshot, String)] = [
      (fleet.snapshot(6, key: stranger), "untrusted_key"), (forged, "bad_signature"),
      (fleet.snapshot(6, created: TestFleet.start.advanced(bySeconds: -90 * 86_400)), "expired"),
      (fleet.snapshot(6, created: TestFleet.start.advanced(bySeconds: 3600)), "not_yet_valid"),
      (fleet.snapshot(4), "older_sequence"), (fleet.snapshot(5, content: "other"), "sequence_conflict"),
      (broken, "truncated"), (short, "truncated"),
    ]
    for (snapshot, code) in cases {
      #expect(refusal(await fault { try await node.publish(snapshot) }) == code)
    }
    #expect(await node.status().snapshots.map(\.sequence) == [5])
    #expect(await fault { try await node.publish(fleet.snapshot(6), to: ["nowhere"]) }?.code == .notFound)
    #expect(await fault { try await node.publish(fleet.snapshot(.max)) }?.code == .outOfRange)
    try await node.publish(fleet.snapshot(6))
  }

  @Test("a publish that broke off goes on with the chunks that are missing, also after a restart")
  func resumesPublish() async throws {
    let snapshot = fleet.snapshot(1)
    var half = snapshot
    half.chunks.removeLast()
    do {
      let node = try node()
      #expect(try await node.missingChunks(of: snapshot.envelope).count == 2)
      #expect(await fault { try await node.publish(half) }?.code == .dataLoss)
      try await node.close()
    }
    let node = try node()
    let missing = try await node.missingChunks(of: snapshot.envelope)
    #expect(missing.map(\.digest) == [Digest(of: snapshot.chunks[1])])
    half.chunks = [snapshot.chunks[1]]
    let receipt = try await node.publish(half)
    #expect(receipt.bytesReceived == UInt64(snapshot.chunks[1].count))
    #expect(try node.library.chunk(Digest(of: snapshot.chunks[0])) == snapshot.chunks[0])
    // Confirmed again to an operator who did not hear it.
    #expect(try await node.publish(half).bytesReceived == 0)
    #expect(try await node.missingChunks(of: snapshot.envelope).isEmpty)
  }

  @Test("a second publish is told that one goes on")
  func oneAtATime() async throws {
    let node = try node()
    let (first, second) = (fleet.snapshot(1), fleet.snapshot(2))
    let remaining = Mutex(first.chunks)
    // Asked for when the first publish waits for its next chunk: so it goes on.
    let chunks = AsyncStream { () async -> [UInt8]? in
      for attempt in [
        await fault { _ = try await node.missingChunks(of: second.envelope) },
        await fault { try await node.publish(second) },
      ] { #expect(attempt?.code == .aborted) }
      return remaining.withLock { $0.isEmpty ? nil : $0.removeFirst() }
    }
    let receipt = try await node.publish(
      PublishOrder(manifest: first.envelope, regions: []), chunks: chunks, by: "one")
    #expect(receipt.sequence == 1)
    try await node.publish(second)
  }

  @Test("rollback goes back at once, withdraws what lies above, and neither unpin nor restart brings it back")
  func rollsBack() async throws {
    let snapshots = (1...3).map { fleet.snapshot($0) }
    let replicas: [TestReplica]
    do {
      let node = try node()
      replicas = try await serving(snapshots, node: node)
      #expect(replicas.map(\.status.serving) == [3, 3])
      let order = fleet.order(from: 3, to: snapshots[0])
      try await node.rollback(order, by: "me")
      try await settle(replicas, node)
      #expect(replicas.map(\.status.serving) == [1, 1])
      let last = try #require(replicas[0].received.last)
      guard case .announce(1, _, let carried) = last.body else {
        Issue.record("not an announcement of 1")
        return
      }
      #expect(carried == order)
      #expect(await node.status().snapshots.map(\.isWithdrawn) == [true, true, false])
      // The same order again is the same act.
      try await node.rollback(order, by: "me")
      try await node.pin(region: "north", sequence: 0, by: "me")
      try await node.unpin(region: "", by: "me")
      try await settle(replicas, node)
      #expect(replicas.map(\.status.serving) == [1, 1])
      #expect(
        await fault { try await node.pin(region: "", sequence: 3, by: "me") }?.code == .failedPrecondition)
      #expect(await fault { try await node.publish(snapshots[2]) }?.code == .failedPrecondition)
      try await node.close()
    }
    let node = try node()
    for replica in replicas {
      replica.lose()
      try await replica.connect(to: node)
    }
    try await settle(replicas, node)
    #expect(replicas.map(\.status.serving) == [1, 1])
    try await node.publish(fleet.snapshot(4))
    try await settle(replicas, node)
    #expect(replicas.map(\.status.serving) == [4, 4])
  }

  @Test("a replica that was away during a rollback is sent back with the order when it returns")
  func rollsBackLater() async throws {
    let node = try node()
    let (one, two) = (fleet.snapshot(1), fleet.snapshot(2))
    let replicas = try await serving([one, two], node: node)
    await replicas[0].disconnect(from: node)
    let order = fleet.order(region: "north", from: 2, to: one)
    try await node.rollback(order, by: "me")
    try await replicas[0].connect(to: node)
    try await settle(replicas, node)
    #expect(replicas.map(\.status.serving) == [1, 2])
    // Withdrawn in one region only: the other serves it on.
    #expect(await node.status().snapshots.first?.isWithdrawn == false)
  }

  @Test("a restore brings a withdrawn snapshot back, with its order, also to a replica that was away")
  func restores() async throws {
    let (one, two) = (fleet.snapshot(1), fleet.snapshot(2))
    let replicas: [TestReplica]
    let order = fleet.order(from: 1, to: two, issued: TestFleet.start.advanced(bySeconds: 1))
    do {
      let node = try node()
      replicas = try await serving([one, two], node: node)
      try await node.rollback(fleet.order(from: 2, to: one), by: "me")
      try await settle(replicas, node)
      await replicas[0].disconnect(from: node)
      try await node.rollback(order, by: "me")
      try await settle(replicas, node)
      #expect(replicas.map(\.status.serving) == [1, 2])
      #expect(await node.status().snapshots.map(\.isWithdrawn) == [false, false])
      // The same order again is the same act.
      try await node.rollback(order, by: "me")
      try await node.close()
    }
    let node = try node()
    for replica in replicas {
      replica.lose()
      try await replica.connect(to: node)
    }
    #expect(await node.status().snapshots.map(\.isWithdrawn) == [false, false])
    // One that never knew that it was withdrawn needs no order, which may have expired.
    let newcomer = TestReplica("north", "n2")
    try await newcomer.connect(to: node)
    try await settle(replicas + [newcomer], node)
    #expect((replicas + [newcomer]).map(\.status.serving) == [2, 2, 2])
    guard case .announce(2, _, let carried)? = newcomer.received.last?.body else {
      Issue.record("not an announcement of 2")
      return
    }
    #expect(carried == nil)
    try await node.publish(fleet.snapshot(3))
    try await settle(replicas + [newcomer], node)
    #expect((replicas + [newcomer]).map(\.status.serving) == [3, 3, 3])
  }

  @Test("a restore of what was not withdrawn, or is not on a replica's disk any more, is refused")
  func wrongRestores() async throws {
    let node = try node()
    let (one, two, three) = (fleet.snapshot(1), fleet.snapshot(2), fleet.snapshot(3))
    let replicas = try await serving([one, two], node: node)
    try await node.pin(region: "", sequence: 0, by: "me")
    try await node.publish(three)
    #expect(
      await fault { try await node.rollback(fleet.order(from: 2, to: three), by: "me") }?.code
        == .failedPrecondition)
    try await node.rollback(fleet.order(from: 3, to: one), by: "me")
    try await settle(replicas, node)
    #expect(
      await fault { try await node.rollback(fleet.order(from: 0, to: two), by: "me") }?.code == .aborted)
    // No replica has 3: it was never staged.
    let issued = TestFleet.start.advanced(bySeconds: 1)
    #expect(
      await fault { try await node.rollback(fleet.order(from: 1, to: three, issued: issued), by: "me") }?.code
        == .failedPrecondition)
    #expect(await region("north", of: node)?.target == 1)
    // The pin, which the rollback took along, is taken along again.
    try await node.rollback(fleet.order(from: 1, to: two, issued: issued), by: "me")
    try await settle(replicas, node)
    #expect(replicas.map(\.status.serving) == [2, 2])
    #expect(await region("north", of: node)?.pinned == 2)
  }

  @Test("a rollback while a snapshot is being staged calls the staging off")
  func callsOff() async throws {
    let node = try node()
    let (one, two) = (fleet.snapshot(1), fleet.snapshot(2))
    let replicas = try await serving([one], node: node)
    try await node.publish(two)
    try await node.rollback(fleet.order(from: 2, to: one), by: "me")
    try await settle(replicas, node)
    #expect(replicas.map(\.status.serving) == [1, 1])
    #expect(replicas.flatMap(\.announcesReceived).contains(2) == false)
  }

  @Test("a wrong order is refused with its own code and changes nothing")
  func wrongOrders() async throws {
    let node = try node()
    let (one, two) = (fleet.snapshot(1), fleet.snapshot(2))
    _ = try await serving([one, two], node: node)
    let stranger = try #require(PrivateKey(seed: [UInt8](repeating: 9, count: 32)))
    let start = TestFleet.start
    let cases: [(SignedBytes, Fault.Code)] = [
      (fleet.order(from: 2, to: one, key: stranger), .permissionDenied),
      (
        SignedBytes(
          payload: one.envelope.payload, signature: one.envelope.signature, keyID: one.envelope.keyID),
        .permissionDenied
      ),
      (fleet.order(from: 2, to: one, issued: start.advanced(bySeconds: -3600)), .failedPrecondition),
      (fleet.order(from: 2, to: one, issued: start.advanced(bySeconds: 3600)), .failedPrecondition),
      (fleet.order(from: 2, to: two), .invalidArgument), (fleet.order(from: 1, to: two), .failedPrecondition),
      (fleet.order(region: "nowhere", from: 2, to: one), .notFound),
      (fleet.order(from: 3, to: fleet.snapshot(1, content: "other")), .failedPrecondition),
      (fleet.order(from: 9, to: fleet.snapshot(8)), .notFound),
      (fleet.order(from: 3, to: two), .failedPrecondition),
    ]
    for (order, code) in cases {
      #expect(await fault { try await node.rollback(order, by: "me") }?.code == code)
    }
    // From an older snapshot than what is served now: somebody published meanwhile.
    try await node.publish(fleet.snapshot(3))
    #expect(
      await fault { try await node.rollback(fleet.order(from: 2, to: one), by: "me") }?.code == .aborted)
    #expect(await region("north", of: node)?.target == 2)
    #expect(await region("north", of: node)?.staging == 3)
  }

  @Test("a pinned region stays where it is until the pin is lifted, then goes to the newest")
  func pins() async throws {
    let node = try node()
    let replicas = try await serving([fleet.snapshot(1)], node: node)
    try await node.pin(region: "north", sequence: 0, by: "me")
    for sequence in 2...3 as ClosedRange<UInt64> {
      try await node.publish(fleet.snapshot(sequence))
      try await settle(replicas, node)
    }
    #expect(replicas.map(\.status.serving) == [1, 3])
    #expect(await region("north", of: node)?.pinned == 1)
    try await node.pin(region: "north", sequence: 2, by: "me")
    try await settle(replicas, node)
    #expect(replicas.map(\.status.serving) == [2, 3])
    #expect(
      await fault { try await node.pin(region: "north", sequence: 1, by: "me") }?.code == .failedPrecondition)
    #expect(await fault { try await node.pin(region: "north", sequence: 9, by: "me") }?.code == .notFound)
    #expect(await fault { try await node.pin(region: "no", sequence: 0, by: "me") }?.code == .notFound)
    try await node.unpin(region: "north", by: "me")
    try await settle(replicas, node)
    #expect(replicas.map(\.status.serving) == [3, 3])
    #expect(await fault { try await node.unpin(region: "north", by: "me") }?.code == .failedPrecondition)
  }

  @Test("a pin needs something to hold")
  func pinsNothing() async throws {
    let node = try node()
    #expect(
      await fault { try await node.pin(region: "", sequence: 0, by: "me") }?.code == .failedPrecondition)
  }

  @Test("unpin passes over what a replica of the region refused")
  func unpinsPastRefused() async throws {
    let node = try node()
    let replicas = try await serving([fleet.snapshot(1)], node: node)
    let bad = fleet.snapshot(3)
    replicas[0].refuse(bad)
    try await node.publish(fleet.snapshot(2), to: ["south"])
    try await node.publish(bad)
    try await settle(replicas, node)
    try await node.pin(region: "north", sequence: 0, by: "me")
    try await node.unpin(region: "north", by: "me")
    try await settle(replicas, node)
    #expect(replicas.map(\.status.serving) == [1, 3])
    #expect(await region("north", of: node)?.halted == "")
  }

  @Test("old snapshots are forgotten beyond the count, those in use are not")
  func forgets() async throws {
    let node = try node()
    let replicas = try await serving([fleet.snapshot(1)], node: node)
    try await node.pin(region: "north", sequence: 0, by: "me")
    let last = UInt64(FleetState.snapshotCountMax + 3)
    for sequence in 2...last {
      try await node.publish(fleet.snapshot(sequence))
      try await settle(replicas, node)
    }
    let kept = await node.status().snapshots.map(\.sequence).sorted()
    #expect(kept.count == FleetState.snapshotCountMax)
    #expect(kept.first == 1 && kept.last == last && !kept.contains(2))
    #expect(node.library.snapshots.map(\.sequence) == kept)
    #expect(refusal(await fault { try await node.publish(fleet.snapshot(2)) }) == "older_sequence")
  }
}
