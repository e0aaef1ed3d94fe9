import Base
import Glibc
import Synchronization
import Testing

@testable import Wire

@Suite struct RotationTests {
  private func subject(_ source: TLSSource) -> ObjectIdentifier { ObjectIdentifier(source.context) }

  private func source(_ fixture: TLSTests.Fixture, _ lines: AuditLines = AuditLines()) throws -> TLSSource {
    try TLSSource(
      fixture.server.configuration(), side: .server, time: SystemTime(), limits: WireLimits(),
      audit: lines.log())
  }

  @Test("files that have not changed give the same context, new ones another")
  func takesUp() throws {
    let fixture = try TLSTests.Fixture()
    let lines = AuditLines()
    let source = try source(fixture, lines)
    let first = subject(source)
    #expect(source.look() == .nothingNew && subject(source) == first)
    _ = try fixture.authority.renew(name: "server", in: fixture.directory + "/server")
    #expect(source.look() == .tookUp(trust: false))
    #expect(subject(source) != first)
    #expect(lines.has("certificates_loaded", "server.pem"))
    try fixture.authority.roll()
    try fixture.authority.distribute(to: fixture.directory + "/server")
    #expect(source.look() == .tookUp(trust: true))
  }

  @Test("files that can't be used change nothing, and that is said once they stay so")
  func keepsOld() throws {
    let fixture = try TLSTests.Fixture()
    let lines = AuditLines()
    let source = try source(fixture, lines)
    let first = subject(source)
    let key = try SystemDisk().read(fixture.server.privateKey, limit: 1 << 20)
    // Half-way through a replacement: the new certificate is there, and its key isn't yet.
    _ = try fixture.authority.renew(name: "server", in: fixture.directory + "/server")
    let newKey = try SystemDisk().read(fixture.server.privateKey, limit: 1 << 20)
    try PrivateFile.write(key, to: fixture.server.privateKey, mode: 0o600)
    #expect(source.look() == .keptOld && lines.all.isEmpty)
    #expect(source.look() == .keptOld && source.look() == .keptOld)
    #expect(lines.all.count == 1 && lines.has("certificates_refused", "server.key"))
    #expect(subject(source) == first)
    try PrivateFile.write(newKey, to: fixture.server.privateKey, mode: 0o600)
    #expect(source.look() == .tookUp(trust: false))
    let second = subject(source)
    chmod(fixture.server.privateKey, 0o644)
    #expect(source.look() == .keptOld)
    unlink(fixture.server.authorities)
    #expect(source.look() == .keptOld)
    try PrivateFile.write(Array("garbage".utf8), to: fixture.server.authorities, mode: 0o644)
    chmod(fixture.server.privateKey, 0o600)
    #expect(source.look() == .keptOld)
    #expect(subject(source) == second)
  }

  @Test("a look is due when its pause is over, by the clock that was given")
  func pause() throws {
    let fixture = try TLSTests.Fixture()
    let time = ManualTime(now: SystemTime().now)
    let limits = WireLimits()
    let source = try TLSSource(fixture.server.configuration(), side: .server, time: time, limits: limits)
    let first = subject(source)
    _ = try fixture.authority.renew(name: "server", in: fixture.directory + "/server")
    #expect(source.lookIfDue() == .nothingNew && ObjectIdentifier(source.freshContext()) == first)
    time.advance(milliseconds: Int64(limits.certificateLookMilliseconds))
    #expect(ObjectIdentifier(source.freshContext()) != first)
  }

  @Test("a renewed certificate has the names of the old one, another key, and only if it is ours")
  func renew() throws {
    let fixture = try TLSTests.Fixture()
    let folder = fixture.directory + "/second"
    let files = try fixture.authority.issue(
      role: .control, name: "second", hosts: ["example.com", "10.0.0.1"], into: folder)
    let old = try Certificate.read(files.certificateChain)
    let oldKey = try SystemDisk().read(files.privateKey, limit: 1 << 20)
    let renewed = try fixture.authority.renew(name: "second", in: folder)
    #expect(renewed == files)
    let new = try Certificate.read(files.certificateChain)
    #expect(new.alternativeNames == old.alternativeNames)
    #expect(
      new.alternativeNames == [
        "URI:spiffe://marquee.test/control/second", "DNS:localhost", "IP:127.0.0.1", "IP:::1",
        "DNS:example.com",
        "IP:10.0.0.1",
      ])
    #expect(try SystemDisk().read(files.privateKey, limit: 1 << 20) != oldKey)
    let stranger = try TLSTests.Fixture()
    _ = try fixture.issue({ $0.alternativeNames = ["URI:spiffe://else.test/ops/x"] }, "domain")
    for (authority, name, place) in [
      (fixture.authority, "nobody", folder), (fixture.authority, "domain", fixture.directory + "/domain"),
    ] {
      #expect(throws: Fault.self) { try authority.renew(name: name, in: place) }
    }
    _ = stranger
  }

  @Test("a roll keeps the old authority trusted until it is retired")
  func roll() throws {
    let fixture = try TLSTests.Fixture()
    func count() throws -> Int {
      let path = fixture.directory + "/ca/authority.pem"
      return try PEM.certificates(try SystemDisk().read(path, limit: 1 << 20), of: path).count
    }
    try fixture.authority.roll()
    #expect(try count() == 2)
    #expect(throws: Fault.self) { try fixture.authority.roll() }
    _ = try fixture.authority.renew(name: "server", in: fixture.directory + "/server")
    #expect(try fixture.authority.retire() == 1)
    #expect(try count() == 1)
    #expect(try fixture.authority.retire() == 0)
    try fixture.authority.roll()
    #expect(try count() == 2)
  }

  /// What an operator does, while clients call: everything is replaced, and no call fails.
  @Test("certificates and the authority are replaced under load, and no call fails", .timeLimit(.minutes(3)))
  func underLoad() async throws {
    let fixture = try TLSTests.Fixture()
    var limits = WireLimits()
    // So that connections are made all the time, as in hours of a real fleet.
    limits.connectionAgeMilliseconds = 30
    limits.drainNoticeMilliseconds = 20
    limits.certificateLookMilliseconds = 5
    limits.housekeepingMilliseconds = 5
    let lines = AuditLines()
    let echo = try await EchoServer(
      tls: fixture.server.configuration(), limits: limits,
      audit: lines.log(linesMax: 10_000, linesPerCauseMax: 10_000))
    let clients = try (0..<4).map {
      try echo.client(tls: fixture.issue(.edgeClient, "c\($0)"), limits: limits)
    }
    let counts = Counts()
    let callers = clients.map { client in
      Task {
        while !counts.isOver.load(ordering: .relaxed) {
          do {
            _ = try await client.unary(EchoServer.unary, [1])
            counts.good.add(1, ordering: .relaxed)
          } catch {
            counts.failures.withLock { $0.append("\(error)") }
          }
        }
      }
    }
    func more() async {
      let target = counts.good.load(ordering: .relaxed) + 200
      #expect(await eventually { counts.good.load(ordering: .relaxed) >= target })
    }
    let authority = fixture.authority
    let leaves = ["server", "c0", "c1", "c2", "c3"]
    await more()
    for round in 0..<3 {
      try authority.roll()
      for name in leaves { try authority.distribute(to: "\(fixture.directory)/\(name)") }
      await more()
      let loaded = lines.all.count
      for name in leaves { _ = try authority.renew(name: name, in: "\(fixture.directory)/\(name)") }
      // Everybody has its new certificate before the old authority goes: connections of the old age out first.
      #expect(await eventually { lines.all.count > loaded })
      let opened = counts.good.load(ordering: .relaxed)
      try await Task.sleep(for: .milliseconds(100))
      await more()
      #expect(counts.good.load(ordering: .relaxed) > opened)
      // Somebody's certificate is revoked as well, and nobody else minds.
      let stolen = try echo.client(tls: fixture.issue(.edgeClient, "stolen"))
      _ = try await stolen.unary(EchoServer.unary, [1])
      try fixture.revoke("stolen", tell: leaves)
      var refusal: CallFailure?
      while refusal == nil {
        refusal = await outcome { () throws(CallFailure) in try await stolen.unary(EchoServer.unary, [1]) }
      }
      #expect(refusal?.code == .unavailable)
      await stolen.close()
      _ = try authority.retire()
      for name in leaves { try authority.distribute(to: "\(fixture.directory)/\(name)") }
      await more()
      #expect(
        counts.failures.withLock { $0 }.isEmpty,
        "round \(round): \(counts.failures.withLock { $0.prefix(3) })")
    }
    counts.isOver.store(true, ordering: .relaxed)
    for caller in callers { await caller.value }
    #expect(counts.failures.withLock { $0.count } == 0)
    #expect(lines.has("certificates_loaded", "other authorities are trusted"))
    #expect(lines.has("certificates_loaded", "another list of revoked certificates"))
    for client in clients { await client.close() }
    await echo.server.drain()
  }

  @Test("an authority that is taken out: its callers' connections are drained, and new ones refused")
  func withdrawn() async throws {
    let fixture = try TLSTests.Fixture()
    let lines = AuditLines()
    let echo = try await EchoServer(tls: fixture.server.configuration(), audit: lines.log())
    let old = try echo.client(tls: fixture.issue(.edgeClient, "old"))
    _ = try await old.unary(EchoServer.unary, [])
    let held = Task { try await old.unary(EchoServer.hold, []) }
    #expect(await eventually { echo.seen.heldCount == 1 })
    try fixture.authority.roll()
    _ = try fixture.authority.renew(name: "server", in: fixture.directory + "/server")
    let new = try echo.client(tls: fixture.issue(.edgeClient, "new"))
    echo.server.reloadCertificates()
    _ = try await new.unary(EchoServer.unary, [])
    #expect(echo.server.counters.connectionsOpen == 2 && !lines.has("trust_withdrawn"))
    _ = try fixture.authority.retire()
    try fixture.authority.distribute(to: fixture.directory + "/server")
    echo.server.reloadCertificates()
    #expect(await eventually { lines.has("trust_withdrawn", "spiffe://marquee.test/edge-client/old") })
    // The call that was taken is answered; the next one needs a connection that it doesn't get any more.
    echo.seen.letGo()
    #expect(try await held.value.message == [1])
    #expect(await eventually { echo.server.counters.connectionsOpen == 1 })
    let failure = await outcome { () throws(CallFailure) in try await old.unary(EchoServer.unary, []) }
    #expect(failure?.code == .unavailable)
    #expect(try await new.unary(EchoServer.unary, [2]).message == [2])
    #expect(!lines.has("trust_withdrawn", "edge-client/new"))
    await old.close()
    await new.close()
    await echo.server.drain()
  }
}

extension RotationTests {
  @Test("a caller without a certificate stays where none is required, whoever is trusted")
  func anonymous() async throws {
    let fixture = try TLSTests.Fixture()
    let lines = AuditLines()
    let echo = try await EchoServer(
      tls: fixture.server.configuration(requireClientCertificate: false), audit: lines.log())
    let nobody = TLSConfiguration(
      certificateChainFile: nil, privateKeyFile: nil, authoritiesFile: fixture.server.authorities,
      trustDomain: "marquee.test")
    let client = try echo.client(tls: nobody)
    _ = try await client.unary(EchoServer.unary, [])
    try fixture.authority.roll()
    _ = try fixture.authority.retire()
    _ = try fixture.authority.renew(name: "server", in: fixture.directory + "/server")
    echo.server.reloadCertificates()
    #expect(lines.has("certificates_loaded", "other authorities"))
    #expect(try await client.unary(EchoServer.unary, [3]).message == [3])
    #expect(!lines.has("trust_withdrawn") && echo.server.counters.connectionsOpen == 1)
    await client.close()
    await echo.server.drain()
  }
}

private final class Counts: Sendable {
  let good = Atomic<Int>(0)
  let isOver = Atomic<Bool>(false)
  let failures = Locked<[String]>([])
}
