import Base
import Foundation
import MarqueeClient
import Testing
import Wire

/// What a caller sees of a fleet that is well.
@Suite struct ClientTests {
  @Test("rows come from the home region, whole")
  func home() async throws {
    try await withFleet([("eu", 2), ("us", 2)], home: "us") { fleet, client in
      let result = try await client.rank(RankQuery(profile: "p", country: "DE", debug: true))
      #expect(result.region == "us")
      #expect(result.rows.first?.titles.first?.source == "new")
      #expect(result.degradations == ["noHistory"])
      #expect(result.stages.map(\.stage) == ["ranking"])
      #expect(result.stages.first?.microseconds == 7)
      #expect(result.tryCount == 1)
      #expect(result.requestID.count == 32)
      #expect(client.routingEpoch == 1)
    }
  }

  @Test("a profile stays with one replica, and profiles are spread over all")
  func affinity() async throws {
    try await withFleet([("eu", 3)], home: "eu") { fleet, client in
      for round in 0..<3 {
        for index in 0..<30 {
          _ = try await client.rank(RankQuery(profile: "p\(index)", country: "DE"))
        }
        let total = fleet.replicas.map { $0.seen.profiles.count }.reduce(0, +)
        #expect(total == (round + 1) * 30)
      }
      for replica in fleet.replicas {
        let profiles = replica.seen.profiles
        #expect(!profiles.isEmpty)
        #expect(profiles.count == Set(profiles).count * 3)
      }
    }
  }

  @Test("events go to the replica that ranks for their profile, in batches of a thousand")
  func record() async throws {
    try await withFleet([("eu", 2)], home: "eu") { fleet, client in
      for index in 0..<10 { _ = try await client.rank(RankQuery(profile: "p\(index)", country: "DE")) }
      let result = try await client.record(Self.events(5000))
      #expect(result.accepted == 5000 && result.duplicates == 0)
      for replica in fleet.replicas {
        let seen = replica.seen
        let profiles = Set(seen.batches.flatMap { $0.map(\.profileID) })
        #expect(profiles == Set(seen.profiles))
        #expect(seen.batches.allSatisfy { $0.count <= 1000 })
        for profile in profiles {
          let times = seen.batches.flatMap { $0 }.filter { $0.profileID == profile }.map(\.at)
          #expect(times == times.sorted())
        }
      }
      let again = try await client.record(Self.events(5000))
      #expect(again.accepted == 5000 && again.duplicates == 5000)
    }
  }

  @Test("a batch whose answer was lost is sent again, and counts once")
  func recordAgain() async throws {
    try await withFleet([("eu", 1)], home: "eu") { fleet, client in
      fleet.replicas[0].behave(.failsFirst(1, Fault(.unavailable, "lost")))
      let result = try await client.record(Self.events(10))
      #expect(result.accepted == 10)
      #expect(fleet.replicas[0].seen.batches.count == 2)
      #expect(fleet.replicas[0].seen.recorded.count == 10)
    }
  }

  @Test(
    "what is wrong is said once, and not tried again",
    arguments: [
      (Fault(.invalidArgument, "no"), MarqueeError.Code.invalidArgument),
      (Fault(.permissionDenied, "no"), .permissionDenied), (Fault(.unimplemented, "no"), .failed),
      (Fault(.internalError, "no"), .failed), (Fault(.failedPrecondition, "no"), .failed),
    ])
  func notTriedAgain(_ fault: Fault, _ code: MarqueeError.Code) async throws {
    try await withFleet([("eu", 2), ("us", 1)], home: "eu") { fleet, client in
      for replica in fleet.replicas { replica.behave(.fails(fault)) }
      let error = await failure { _ = try await client.rank(RankQuery(profile: "p", country: "DE")) }
      #expect(error?.code == code)
      #expect(error?.message == "no")
      #expect(fleet.replicas.map { $0.seen.requestIDs.count }.reduce(0, +) == 1)
    }
  }

  @Test("queries that no replica would take are not sent")
  func badQuery() async throws {
    try await withFleet([("eu", 1)], home: "eu") { fleet, client in
      for query in [
        RankQuery(profile: "p", country: "DE", maturityMax: 0),
        RankQuery(profile: "p", country: "DE", maturityMax: 300),
        RankQuery(profile: "p", country: "DE", titlesPerRow: 0),
        RankQuery(profile: "p", country: "DE", titlesPerRow: 101),
      ] {
        let error = await failure { _ = try await client.rank(query) }
        #expect(error?.code == .invalidArgument)
      }
      #expect(fleet.replicas[0].seen.requestIDs.isEmpty)
    }
  }

  @Test("a cancelled task ends its call at once")
  func cancellation() async throws {
    try await withFleet([("eu", 1)], home: "eu") { fleet, client in
      fleet.replicas[0].behave(.hangs)
      let task = Task {
        await failure {
          _ = try await client.rank(RankQuery(profile: "p", country: "DE"), timeout: .seconds(600))
        }
      }
      try await eventually { !fleet.replicas[0].seen.requestIDs.isEmpty }
      task.cancel()
      #expect(await task.value?.code == .cancelled)
    }
  }

  @Test("without a seed that answers, a call says why when its time is up")
  func noSeed() async throws {
    let client = try MarqueeClient(ClientConfiguration(seeds: ["127.0.0.1:1"], homeRegion: "eu"))
    var error: MarqueeError?
    // Until the seed has been asked once, there is no cause to tell.
    try await eventually {
      error = await failure {
        _ = try await client.rank(RankQuery(profile: "p", country: "DE"), timeout: .milliseconds(50))
      }
      return error?.message.contains(": ") == true
    }
    #expect(error?.code == .unavailable)
    let message = error?.message ?? ""
    #expect(message.hasPrefix("no seed has told the routing yet: unavailable"), "\(message)")
    await client.close()
  }

  @Test("one seed of many is enough")
  func oneSeed() async throws {
    let fleet = try await FakeFleet([("eu", 2)])
    var configuration = fleet.configuration(home: "eu")
    configuration.seeds = ["127.0.0.1:1", "127.0.0.1:2", fleet.replicas[1].address]
    let client = try MarqueeClient(configuration)
    let result = try await client.rank(RankQuery(profile: "p", country: "DE"))
    #expect(result.region == "eu")
    await client.close()
    await fleet.stop()
  }

  @Test("with mutual TLS, a client with the right role ranks, and one without it hears that it hasn't")
  func mutualTLS() async throws {
    let directory = NSTemporaryDirectory() + "marquee-client-\(UInt64.random(in: 0...UInt64.max))"
    defer { try? FileManager.default.removeItem(atPath: directory) }
    let authority = try DevelopmentAuthority.create(in: directory, trustDomain: "marquee.test")
    let server = try authority.issue(role: .edge, name: "eu-0", into: directory)
    let fleet = try await FakeFleet([("eu", 1)], tls: server.configuration())
    for (role, isAdmitted) in [(Role.edgeClient, true), (.edge, false)] {
      let files = try authority.issue(role: role, name: "caller-\(role.rawValue)", into: directory)
      var configuration = fleet.configuration(home: "eu")
      configuration.tls = ClientConfiguration.TLSFiles(
        authorities: files.authorities, certificate: files.certificateChain, key: files.privateKey,
        trustDomain: files.trustDomain)
      let client = try MarqueeClient(configuration)
      let error = await failure { _ = try await client.rank(RankQuery(profile: "p", country: "DE")) }
      #expect(error?.code == (isAdmitted ? nil : .permissionDenied))
      await client.close()
    }
    await fleet.stop()
  }

  @Test("a client that has the list of revoked certificates takes no server that is in it")
  func revoked() async throws {
    let directory = NSTemporaryDirectory() + "marquee-client-\(UInt64.random(in: 0...UInt64.max))"
    defer { try? FileManager.default.removeItem(atPath: directory) }
    let authority = try DevelopmentAuthority.create(in: directory + "/ca", trustDomain: "marquee.test")
    let server = try authority.issue(role: .edge, name: "eu-0", into: directory + "/server")
    let files = try authority.issue(role: .edgeClient, name: "caller", into: directory + "/caller")
    let fleet = try await FakeFleet([("eu", 1)], tls: server.configuration())
    for isRevoked in [false, true] {
      if isRevoked {
        _ = try authority.relist(revoking: [authority.serial(of: "eu-0", in: directory + "/server")])
        try authority.distributeList(to: directory + "/caller")
      }
      var configuration = fleet.configuration(home: "eu")
      configuration.tls = ClientConfiguration.TLSFiles(
        authorities: files.authorities, certificate: files.certificateChain, key: files.privateKey,
        trustDomain: files.trustDomain, revocations: files.revocations)
      let client = try MarqueeClient(configuration)
      let error = await failure { _ = try await client.rank(RankQuery(profile: "p", country: "DE")) }
      #expect(error?.code == (isRevoked ? .unavailable : nil))
      await client.close()
    }
    await fleet.stop()
  }

  @Test("a configuration that can't work is refused at once")
  func badConfiguration() {
    for seeds in [[], ["nonsense"], ["h:0"], ["h:99999"], [":1"], ["a:b:1"]] {
      #expect(throws: MarqueeError.self, "\(seeds)") {
        _ = try MarqueeClient(ClientConfiguration(seeds: seeds, homeRegion: "eu"))
      }
    }
    let files = ClientConfiguration.TLSFiles(
      authorities: "/nowhere/ca.pem", certificate: "/nowhere/c.pem", key: "/nowhere/k.pem", trustDomain: "t")
    #expect(throws: MarqueeError.self) {
      _ = try MarqueeClient(ClientConfiguration(seeds: ["127.0.0.1:1"], homeRegion: "eu", tls: files))
    }
  }

  private static func events(_ count: Int) -> [ViewerEvent] {
    (0..<count).map {
      ViewerEvent(
        id: "e\($0)", profile: "p\($0 % 10)", title: "t", kind: .play,
        atMilliseconds: 1_700_000_000_000 + Int64($0))
    }
  }
}
