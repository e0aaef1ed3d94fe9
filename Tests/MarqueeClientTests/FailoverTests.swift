import Base
import MarqueeClient
import Synchronization
import Testing

/// What a caller sees, or rather doesn't, when replicas and regions fail.
@Suite struct FailoverTests {
  private func rank(
    _ client: MarqueeClient, _ profile: String = "p", timeout: Duration? = nil
  ) async throws -> RankResult {
    try await client.rank(RankQuery(profile: profile, country: "DE"), timeout: timeout)
  }

  @Test("a drained region's trailers move the very call that met them, and the routing follows")
  func drained() async throws {
    try await withFleet([("eu", 2), ("us", 1), ("ap", 1)], home: "eu") { fleet, client in
      #expect(try await rank(client).region == "eu")
      // Only the trailers know of it: us's own table is behind, and ap is the second fallback.
      for replica in fleet.region("eu") { replica.drain(to: fleet.region("ap"), epoch: 2) }
      let result = try await rank(client)
      #expect(result.region == "ap")
      #expect(result.tryCount == 2)
      #expect(client.routingEpoch == 2)
      #expect(try await rank(client, "other").tryCount == 1)
      fleet.tell(fleet.table(epoch: 3, failedOver: ["eu": "us"]))
      try await eventually { client.routingEpoch == 3 }
      #expect(try await rank(client).region == "us")
    }
  }

  @Test("trailers of an epoch that is over are no news, and the call still finds rows")
  func oldTrailers() async throws {
    try await withFleet([("eu", 2), ("us", 1), ("ap", 1)], home: "eu") { fleet, client in
      fleet.tell(fleet.table(epoch: 5))
      try await eventually { client.routingEpoch == 5 }
      for replica in fleet.region("eu") { replica.drain(to: fleet.region("ap"), epoch: 4) }
      #expect(try await rank(client).region == "us")
      #expect(client.routingEpoch == 5)
      for replica in fleet.region("eu") { replica.behave(.answers) }
      #expect(try await rank(client).region == "eu")
    }
  }

  @Test("a failover that is announced moves every call, and a failback moves them back")
  func announced() async throws {
    try await withFleet([("eu", 2), ("us", 2)], home: "eu") { fleet, client in
      #expect(try await rank(client).region == "eu")
      fleet.tell(fleet.table(epoch: 2, failedOver: ["eu": "us"]))
      try await eventually { client.routingEpoch == 2 }
      #expect(try await rank(client).region == "us")
      fleet.tell(fleet.table(epoch: 3))
      try await eventually { client.routingEpoch == 3 }
      #expect(try await rank(client).region == "eu")
    }
  }

  @Test("a table with an older epoch changes nothing")
  func backwards() async throws {
    try await withFleet([("eu", 1), ("us", 1)], home: "eu") { fleet, client in
      fleet.tell(fleet.table(epoch: 7))
      try await eventually { client.routingEpoch == 7 }
      fleet.tell(fleet.table(epoch: 6, failedOver: ["eu": "us"]))
      // The watch has passed the old one on when the next new one is here.
      fleet.tell(fleet.table(epoch: 8))
      try await eventually { client.routingEpoch == 8 }
      #expect(try await rank(client).region == "eu")
      fleet.tell(fleet.table(epoch: 2, failedOver: ["eu": "us"]))
      #expect(try await rank(client).region == "eu")
      #expect(client.routingEpoch == 8)
    }
  }

  @Test("a reply that knows a newer epoch makes the client ask for it")
  func newerReply() async throws {
    let fleet = try await FakeFleet([("eu", 1), ("us", 1)])
    var configuration = fleet.configuration(home: "eu")
    // Neither the watch at us nor a question in between tells it.
    configuration.seeds = [fleet.region("us")[0].address]
    configuration.routingInterval = .seconds(600)
    let client = try MarqueeClient(configuration)
    _ = try await rank(client)
    for replica in fleet.region("eu") {
      // Told without its watchers: only a reply can show it.
      replica.know(fleet.table(epoch: 4, failedOver: ["eu": "us"]))
    }
    _ = try await rank(client)
    try await eventually { client.routingEpoch == 4 }
    #expect(try await rank(client).region == "us")
    await client.close()
    await fleet.stop()
  }

  @Test("a replica that never answers costs its share of the time, once, and is used again when it is well")
  func hangingReplica() async throws {
    try await withFleet([("eu", 2)], home: "eu") { fleet, client in
      let first = try await rank(client)
      let hanging = try #require(fleet.replicas.first { $0.name == first.replica })
      hanging.behave(.hangs)
      let result = try await rank(client, timeout: .seconds(2))
      #expect(result.replica != hanging.name)
      #expect(result.tryCount == 2)
      let count = hanging.seen.requestIDs.count
      for _ in 0..<20 { #expect(try await rank(client).tryCount == 1) }
      #expect(hanging.seen.requestIDs.count == count)
      hanging.behave(.answers)
      try await eventually { try await rank(client).replica == hanging.name }
    }
  }

  @Test("when all of the region hang, the fallback answers within the deadline, and later without delay")
  func hangingRegion() async throws {
    try await withFleet([("eu", 2), ("us", 1)], home: "eu") { fleet, client in
      _ = try await rank(client)
      for replica in fleet.region("eu") { replica.behave(.hangs) }
      let result = try await rank(client, timeout: .seconds(2))
      #expect(result.region == "us")
      #expect(result.tryCount == 3)
      #expect(Set(fleet.replicas.map { $0.seen.requestIDs.last }).count == 1, "one call has one request id")
      #expect(try await rank(client).tryCount == 1)
      for replica in fleet.region("eu") { replica.behave(.answers) }
      try await eventually { try await rank(client).region == "eu" }
    }
  }

  @Test("a host that takes connections and says nothing costs its share of the time, once")
  func silent() async throws {
    let fleet = try await FakeFleet([("us", 1)])
    let silent = try [SilentPort(), SilentPort()]
    var table = fleet.table(epoch: 2)
    table.regions.append(
      RoutingTable.Region(name: "eu", replicas: silent.map(\.address), fallbacks: ["us"]))
    fleet.tell(table)
    let client = try MarqueeClient(fleet.configuration(home: "eu"))
    let result = try await rank(client, timeout: .seconds(2))
    #expect(result.region == "us")
    #expect(result.tryCount == 3)
    #expect(try await rank(client, "another").tryCount == 1)
    await client.close()
    await fleet.stop()
  }

  @Test("replicas that refuse connections are passed over at no cost")
  func refused() async throws {
    let fleet = try await FakeFleet([("eu", 1), ("us", 1)])
    var configuration = fleet.configuration(home: "eu")
    // Not a single token to spend.
    configuration.retries.tokenCountMax = 0
    await fleet.region("eu")[0].stop()
    let client = try MarqueeClient(configuration)
    let result = try await rank(client)
    #expect(result.region == "us")
    await client.close()
    await fleet.stop()
  }

  @Test("a replica with a full queue is not asked again, but not held to be ill")
  func exhausted() async throws {
    try await withFleet([("eu", 2)], home: "eu") { fleet, client in
      let first = try await rank(client)
      let full = try #require(fleet.replicas.first { $0.name == first.replica })
      full.behave(.failsFirst(1, Fault(.resourceExhausted, "the queue is full")))
      #expect(try await rank(client).replica != full.name)
      #expect(try await rank(client).replica == full.name)
    }
  }

  @Test("with the budget used up, failures are told instead of tried again")
  func budget() async throws {
    let fleet = try await FakeFleet([("eu", 2)])
    for replica in fleet.replicas { replica.behave(.fails(Fault(.unavailable, "out of order"))) }
    var configuration = fleet.configuration(home: "eu")
    configuration.retries.tokenCountMax = 20
    let client = try MarqueeClient(configuration)
    var errors: [MarqueeError] = []
    for index in 0..<40 {
      if let error = await failure({ _ = try await rank(client, "p\(index)") }) { errors.append(error) }
    }
    #expect(errors.count == 40)
    #expect(errors.allSatisfy { $0.code == .unavailable })
    #expect(errors.last?.message == "out of order (not tried again: the retry budget is used up)")
    // Forty first tries, and those beyond them that half a bucket pays for.
    let tries = fleet.replicas.map { $0.seen.requestIDs.count }.reduce(0, +)
    #expect(tries <= 40 + 10 + 1)
    for replica in fleet.replicas { replica.behave(.answers) }
    for _ in 0..<200 { _ = await failure { _ = try await rank(client) } }
    fleet.replicas.forEach { $0.behave(.failsFirst(1, Fault(.unavailable, "once"))) }
    #expect(try await rank(client).tryCount > 1)
    await client.close()
    await fleet.stop()
  }

  @Test("when nobody can answer, the call ends with the last failure, by its deadline at the latest")
  func nobody() async throws {
    try await withFleet([("eu", 1), ("us", 1)], home: "eu") { fleet, client in
      _ = try await rank(client)
      for replica in fleet.replicas { replica.behave(.hangs) }
      let error = await failure { _ = try await rank(client, timeout: .milliseconds(200)) }
      #expect(error?.code == .deadlineExceeded)
    }
  }

  @Test("replicas that stop one after the other under load fail no call")
  func stopping() async throws {
    try await withFleet([("eu", 3), ("us", 1)], home: "eu") { fleet, client in
      let tally = Tally()
      await withTaskGroup(of: Void.self) { group in
        for _ in 0..<8 {
          group.addTask {
            while !tally.isDone {
              do { tally.count(try await rank(client, "p\(Int.random(in: 0..<64))").replica) } catch {
                tally.note("\(error)")
              }
            }
          }
        }
        for replica in fleet.region("eu") {
          try? await eventually { tally[replica.name] > 20 }
          await replica.stop()
          tally.restart()
          // Its profiles have moved to those that are left.
          try? await eventually { fleet.replicas.contains { tally[$0.name] > 50 } }
        }
        try? await eventually { tally["us-0"] > 50 }
        tally.finish()
      }
      #expect(tally.failures == [])
    }
  }

  @Test("a failover under load fails no call")
  func underLoad() async throws {
    try await withFleet([("eu", 2), ("us", 2)], home: "eu") { fleet, client in
      let tally = Tally()
      await withTaskGroup(of: Void.self) { group in
        for worker in 0..<8 {
          group.addTask {
            while !tally.isDone {
              do { tally.count(try await rank(client, "p\(worker)").region) } catch { tally.note("\(error)") }
            }
          }
        }
        for epoch: UInt64 in [2, 4, 6] {
          try? await eventually { tally["eu"] > 50 }
          for replica in fleet.region("eu") { replica.drain(to: fleet.region("us"), epoch: epoch) }
          fleet.tell(fleet.table(epoch: epoch, failedOver: ["eu": "us"]))
          try? await eventually { tally["us"] > 50 }
          for replica in fleet.region("eu") { replica.behave(.answers) }
          fleet.tell(fleet.table(epoch: epoch + 1))
          tally.restart()
        }
        try? await eventually { client.routingEpoch == 7 }
        tally.finish()
      }
      #expect(tally.failures == [])
      #expect(client.routingEpoch == 7)
    }
  }
}

/// What the callers under load have seen.
private final class Tally: Sendable {
  private struct State {
    var counts: [String: Int] = [:]
    var failures: [String] = []
    var isDone = false
  }

  private let state = Mutex(State())

  var isDone: Bool { state.withLock { $0.isDone } }
  var failures: [String] { state.withLock { $0.failures } }
  subscript(_ region: String) -> Int { state.withLock { $0.counts[region] ?? 0 } }

  func count(_ region: String) { state.withLock { $0.counts[region, default: 0] += 1 } }
  func note(_ failure: String) { state.withLock { $0.failures.append(failure) } }
  func restart() { state.withLock { $0.counts = [:] } }
  func finish() { state.withLock { $0.isDone = true } }
}
