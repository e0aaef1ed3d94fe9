import Base
import Snapshots
import Synchronization
import Testing

@testable import Serving

@Suite struct ReplicaTests {
  let fleet: TestFleet

  init() throws { fleet = try TestFleet() }

  @Test func `nothing is served before the first announcement`() async throws {
    let one = try fleet.replica()
    await one.replica.start()
    #expect(await one.fault(.test())?.code == .unavailable)
    let version = try TestSnapshot().build(in: fleet.control)
    #expect(await one.stage(version).isAcknowledged)
    #expect(await one.fault(.test())?.code == .unavailable)
    #expect(await one.replica.status.phase == .empty)
    #expect(await one.replica.status.staged == [1])
    #expect(await one.announce(version).isAcknowledged)
    let reply = try await one.rank(.test())
    #expect(reply.snapshot.sequence == 1)
    #expect(reply.snapshot.digest == version.digest.hex)
    #expect(reply.region == "eu" && reply.replica == "r1")
    let status = await one.replica.status
    #expect(status.phase == .serving && status.serving == 1 && status.servingDigest == version.digest)
    #expect(status.bytesFetched == status.bytesTotal && status.bytesReused == 0)
    await one.stop()
  }

  @Test func `a replica restarts from its own disk, with the control node gone`() async throws {
    let version = try TestSnapshot().build(in: fleet.control)
    let first = try fleet.replica()
    #expect(await first.stage(version).isAcknowledged)
    #expect(await first.announce(version).isAcknowledged)
    await first.stop()
    fleet.state.withLock { $0.deliver = { _, _ in nil } }
    let second = try fleet.replica()
    fleet.time.advance(milliseconds: 123)
    await second.replica.start()
    let status = await second.replica.status
    #expect(status.serving == 1)
    #expect(status.readyMilliseconds == 123)
    #expect(try await second.rank(.test()).rows.isEmpty == false)
    await second.stop()
  }

  @Test func `a snapshot that its own disk damaged is not served, shown, and mended by staging it again`()
    async throws
  {
    let version = try TestSnapshot().build(in: fleet.control)
    let first = try fleet.replica()
    #expect(await first.stage(version).isAcknowledged)
    #expect(await first.announce(version).isAcknowledged)
    await first.stop()
    let segment = try #require(version.manifest.segments.first { $0.kind == "catalogue" })
    let path = "\(fleet.directory.path)/r1/snapshots/segments/\(segment.digest.hex).segment"
    try [0xff].withUnsafeBytes { try SystemDisk().write($0, to: path, at: 3000) }
    let second = try fleet.replica()
    await second.replica.start()
    #expect(await second.replica.status.serving == 0)
    #expect(await second.replica.status.staged == [])
    #expect(await second.replica.damaged.first?.refusal.code == .corrupt)
    #expect(await second.stage(version).isAcknowledged)
    #expect(await second.announce(version).isAcknowledged)
    #expect(await second.replica.damaged == [])
    #expect(try await second.rank(.test()).snapshot.sequence == 1)
    await second.stop()
  }

  @Test func `an older version comes back only by a signed order, from memory`() async throws {
    let one = try fleet.replica()
    let first = try TestSnapshot(sequence: 1, prefix: "a").build(in: fleet.control)
    let second = try TestSnapshot(sequence: 2, prefix: "b").build(in: fleet.control)
    for version in [first, second] {
      #expect(await one.stage(version).isAcknowledged)
      #expect(await one.announce(version).isAcknowledged)
    }
    #expect(await one.announce(first).refusal?.code == .olderSequence)
    #expect(try await one.rank(.test()).snapshot.space == "space-b")
    let before = one.replica.slot.all
    #expect(await one.announce(first, rollback: fleet.rollback(from: 2, to: first)).isAcknowledged)
    #expect(one.replica.slot.current === before[1])
    #expect(try await one.rank(.test()).snapshot.space == "space-a")
    // What was rolled back from does not come back by itself.
    #expect(await one.announce(second).refusal?.code == .refusedBefore)
    #expect(await one.stage(second).refusal?.code == .refusedBefore)
    await one.stop()
    let again = try fleet.replica()
    await again.replica.start()
    #expect(await again.replica.status.serving == 1)
    await again.stop()
  }

  @Test func `announcing what isn't on the disk is refused`() async throws {
    let one = try fleet.replica()
    let version = try TestSnapshot().build(in: fleet.control)
    #expect(await one.announce(version).refusal?.code == .truncated)
    await one.stop()
  }

  @Test func `a version whose golden queries fail is refused, remembered and not fetched again`() async throws
  {
    let one = try fleet.replica()
    var snapshot = TestSnapshot()
    snapshot.golden = [.init(watched: ["a0"], expected: (0..<10).map { "a\($0 * 6 + 1)" })]
    let version = try snapshot.build(in: fleet.control)
    #expect(await one.stage(version).refusal?.code == .goldenMismatch)
    let asked = fleet.asked(.control)
    #expect(await one.stage(version).refusal?.code == .refusedBefore)
    #expect(fleet.asked(.control) == asked)
    #expect(await one.replica.status.refused.map(\.refusal.code) == [.goldenMismatch])
    #expect(await one.replica.status.staged == [])
    await one.stop()
    let again = try fleet.replica()
    #expect(await again.stage(version).refusal?.code == .refusedBefore)
    await again.stop()
  }

  @Test func `chunks come from peers first, and from the control node what they lack`() async throws {
    let one = try fleet.replica()
    let version = try TestSnapshot().build(in: fleet.control)
    let turn = Mutex(0)
    fleet.state.withLock {
      $0.deliver = { origin, bytes in
        guard case .peer(let name) = origin else { return bytes }
        switch name {
        case "dead:1": return nil
        case "bad:1": return bytes.map { $0 ^ 1 }
        default:
          return turn.withLock { turn in
            turn += 1
            return turn % 2 == 0 ? bytes : nil
          }
        }
      }
    }
    #expect(await one.stage(version, peers: ["dead:1", "bad:1", "half:1"]).isAcknowledged)
    #expect(fleet.asked(.peer("half:1")) > 0)
    #expect(fleet.asked(.control) > 0)
    #expect(fleet.asked(.control) < fleet.asked(.peer("half:1")))
    await one.stop()
  }

  @Test func `a chunk that the control node has wrong three times is a refusal that names its place`()
    async throws
  {
    let one = try fleet.replica()
    let version = try TestSnapshot().build(in: fleet.control)
    fleet.state.withLock { $0.deliver = { _, bytes in bytes.map { $0 ^ 1 } } }
    let refusal = await one.stage(version).refusal
    #expect(refusal?.code == .corrupt)
    #expect(refusal?.place.contains("chunk") == true)
    await one.stop()
  }

  @Test func `a control node that is gone for a while is waited for, and what came is kept`() async throws {
    let one = try fleet.replica()
    let version = try TestSnapshot().build(in: fleet.control)
    let count = Mutex(0)
    let isBack = Mutex(false)
    fleet.state.withLock { state in
      state.deliver = { _, bytes in
        let number = count.withLock {
          $0 += 1
          return $0
        }
        return number <= 3 || isBack.withLock { $0 } ? bytes : nil
      }
      state.onPause = { if $0 >= 400 { isBack.withLock { $0 = true } } }
    }
    #expect(await one.stage(version).isAcknowledged)
    #expect(fleet.state.withLock { $0.pauseCount } == 3)
    await one.stop()
  }

  @Test func `a staging whose stream is gone ends, and the next goes on where it stopped`() async throws {
    let one = try fleet.replica()
    let version = try TestSnapshot().build(in: fleet.control)
    let task = Mutex<Task<FollowReport?, Never>?>(nil)
    let count = Mutex(0)
    fleet.state.withLock { state in
      state.deliver = { _, bytes in
        count.withLock {
          $0 += 1
          return $0 <= 3 ? bytes : nil
        }
      }
      state.onPause = { _ in task.withLock { $0?.cancel() } }
    }
    let staging = Task { await one.stage(version) }
    task.withLock { $0 = staging }
    #expect(await staging.value == nil)
    fleet.state.withLock { $0.deliver = { $1 } }
    #expect(await one.stage(version).isAcknowledged)
    let status = await one.replica.status
    #expect(status.bytesReused > 0)
    #expect(status.bytesFetched + status.bytesReused == status.bytesTotal)
    await one.stop()
  }

  @Test func `a drained region says where to go, also after a restart`() async throws {
    let version = try TestSnapshot().build(in: fleet.control)
    let one = try fleet.replica()
    #expect(await one.stage(version).isAcknowledged)
    #expect(await one.announce(version).isAcknowledged)
    var table = RoutingTable(
      epoch: 2,
      regions: [
        .init(name: "eu", failedOverTo: "us", replicas: ["e:1"]),
        .init(name: "us", replicas: ["u:1", "u:2"]),
      ])
    let drain = Directive(nonce: 7, body: .routing(table))
    #expect(await one.replica.handle(drain).isAcknowledged)
    for replica in [one] {
      let fault = await replica.fault(.test())
      #expect(fault?.code == .unavailable)
      #expect(fault?.metadata[RoutingMetadata.region] == "us")
      #expect(fault?.metadata[RoutingMetadata.replicas] == "u:1,u:2")
      #expect(fault?.metadata[RoutingMetadata.epoch] == "2")
      #expect(await replica.replica.status.phase == .draining)
    }
    await one.stop()
    let again = try fleet.replica()
    await again.replica.start()
    #expect(await again.fault(.test())?.metadata[RoutingMetadata.region] == "us")
    // Events as well: Rank is answered elsewhere, and would not see them.
    let event = Event(id: "e1", profileID: "p", titleID: "a5", kind: .play, at: fleet.time.now)
    do {
      _ = try await again.replica.record([event])
      Issue.record("a drained replica took events")
    } catch {
      #expect(error.code == .unavailable)
      #expect(error.metadata[RoutingMetadata.region] == "us")
    }
    table.epoch = 1
    #expect(
      await again.replica.handle(Directive(nonce: 8, body: .routing(table))).refusal?.code == .olderSequence)
    table.epoch = 3
    table.regions[0].failedOverTo = ""
    #expect(await again.replica.handle(Directive(nonce: 9, body: .routing(table))).isAcknowledged)
    #expect(try await again.rank(.test()).routingEpoch == 3)
    await again.stop()
  }

  @Test func `events change the next Rank, and outlive a restart`() async throws {
    let version = try TestSnapshot().build(in: fleet.control)
    let one = try fleet.replica()
    #expect(await one.stage(version).isAcknowledged)
    #expect(await one.announce(version).isAcknowledged)
    #expect(try await one.rank(.test()).rungs == [.noHistory])
    let event = Event(
      id: "e1", profileID: "p", titleID: "a5", kind: .progress, at: fleet.time.now, progress: 0.5)
    #expect(try await one.replica.record([event]).acceptedCount == 1)
    let reply = try await one.rank(.test())
    #expect(reply.rungs == [])
    #expect(reply.rows.first { $0.id == "continue_watching" }?.titles.map(\.id) == ["a5"])
    await #expect(throws: Fault.self) {
      _ = try await one.replica.record([
        Event(id: "", profileID: "p", titleID: "a5", kind: .play, at: fleet.time.now)
      ])
    }
    await one.stop()
    let again = try fleet.replica()
    await again.replica.start()
    #expect(try await again.rank(.test()).rows.contains { $0.id == "continue_watching" })
    await again.stop()
  }

  @Test func `bad requests are named by their field`() async throws {
    let version = try TestSnapshot().build(in: fleet.control)
    let one = try fleet.replica()
    #expect(await one.stage(version).isAcknowledged)
    #expect(await one.announce(version).isAcknowledged)
    let cases: [(String, RankRequest)] = [
      ("profile_id", .test("")), ("profile_id", .test(String(repeating: "p", count: 129))),
      ("country", .test(country: "de")), ("country", .test(country: "*")), ("country", .test(country: "")),
      ("maturity_max", .test(maturityMax: 19)), ("titles_per_row", .test(titlesPerRow: 101)),
      ("titles_per_row", .test(titlesPerRow: -1)), ("surface", .test(surface: "ho\nme")),
    ]
    for (field, request) in cases {
      let fault = await one.fault(request)
      #expect(fault?.code == .invalidArgument)
      #expect(fault?.message.hasPrefix(field) == true, "\(String(describing: fault))")
    }
    var plain = RankRequest.test(surface: "")
    plain.requestID = ""
    let reply = try await one.rank(plain)
    #expect(!reply.requestID.isEmpty)
    #expect(reply.rows.contains { $0.id == "new" }, "an empty surface is home")
    await one.stop()
  }

  @Test func `no reply mixes two generations while they are cut over a hundred times under load`()
    async throws
  {
    let one = try fleet.replica()
    let generations = try ["a", "b"].map { prefix in
      try TestSnapshot(sequence: prefix == "a" ? 1 : 2, prefix: prefix).open(time: fleet.time)
    }
    one.replica.slot.cutover(to: generations[0])
    for prefix in ["a", "b"] {
      let events = (0..<4).map {
        Event(
          id: "\(prefix)\($0)", profileID: "p", titleID: "\(prefix)\($0 * 6)", kind: .like, at: fleet.time.now
        )
      }
      _ = try await one.replica.record(events)
    }
    let isOver = Cancellation()
    let seen = try await withThrowingTaskGroup(of: Set<UInt64>.self) { group in
      for _ in 0..<3 {
        group.addTask {
          var seen: Set<UInt64> = []
          while !isOver.isCancelled {
            let reply = try await one.rank(.test())
            let prefix = reply.snapshot.sequence == 1 ? "a" : "b"
            #expect(reply.snapshot.space == "space-\(prefix)" && reply.snapshot.policy == "policy-\(prefix)")
            #expect(!reply.rows.isEmpty)
            #expect(reply.rungs == [])
            for row in reply.rows { #expect(row.titles.allSatisfy { $0.id.hasPrefix(prefix) }) }
            seen.insert(reply.snapshot.sequence)
          }
          return seen
        }
      }
      for round in 1...100 {
        let served = one.replica.counters.now.count(of: .answered)
        one.replica.slot.cutover(to: generations[round % 2])
        // At least one reply from each, so that the load is really there.
        while one.replica.counters.now.count(of: .answered) < served + 2 { await Task.yield() }
      }
      isOver.cancel()
      return try await group.reduce(into: Set<UInt64>()) { $0.formUnion($1) }
    }
    #expect(seen == [1, 2])
    #expect(one.replica.counters.now.count(of: .failed) == 0)
    await one.stop()
  }

  @Test func `a stopped replica refuses, and changes end`() async throws {
    let version = try TestSnapshot().build(in: fleet.control)
    let one = try fleet.replica()
    #expect(await one.stage(version).isAcknowledged)
    #expect(await one.announce(version).isAcknowledged)
    await one.stop()
    #expect(await one.fault(.test())?.code == .unavailable)
    #expect(await one.replica.status.phase == .draining)
    var last: ReplicaStatus?
    for await status in one.replica.changes { last = status }
    #expect(last?.phase == .draining)
  }
}
