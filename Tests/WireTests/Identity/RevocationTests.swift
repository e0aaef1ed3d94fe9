import Base
import Glibc
import NIOCore
import Testing

@testable import Wire

/// What an endpoint does with its list of revoked certificates.
@Suite struct RevocationTests {
  private func failure(_ client: ClientConnection) async -> CallFailure? {
    await outcome { () throws(CallFailure) in try await client.unary(EchoServer.unary, []) }
  }

  @Test("a revoked certificate reaches no handler, and that is written down")
  func refused() async throws {
    let fixture = try TLSTests.Fixture()
    let lines = AuditLines()
    let stolen = try fixture.issue(.edgeClient, "stolen")
    let good = try fixture.issue(.edgeClient, "good")
    try fixture.revoke("stolen")
    let echo = try await EchoServer(tls: fixture.server.configuration(), audit: lines.log())
    let client = try echo.client(tls: stolen)
    for _ in 0..<2 { #expect(await failure(client)?.code == .unavailable) }
    #expect(await eventually { lines.has("handshake_refused", "edge-client/stolen", "revoked") })
    #expect(echo.server.counters.callsStarted == 0)
    let other = try echo.client(tls: good)
    #expect(try await other.unary(EchoServer.unary, [1]).message == [1])
    // The same name, another certificate: what was revoked is that one, not its holder.
    _ = try fixture.authority.renew(name: "stolen", in: fixture.directory + "/stolen")
    let renewed = try echo.client(tls: stolen)
    #expect(try await renewed.unary(EchoServer.unary, [2]).message == [2])
    for each in [client, other, renewed] { await each.close() }
    await echo.server.drain()
  }

  @Test("open connections of a certificate that is revoked are cut, with the calls on them, and no others")
  func cut() async throws {
    let fixture = try TLSTests.Fixture()
    let lines = AuditLines()
    let echo = try await EchoServer(tls: fixture.server.configuration(), audit: lines.log())
    let stolen = try echo.client(tls: fixture.issue(.edgeClient, "stolen"))
    let good = try echo.client(tls: fixture.issue(.edgeClient, "good"))
    _ = try await stolen.unary(EchoServer.unary, [])
    _ = try await good.unary(EchoServer.unary, [])
    let held = Task {
      await outcome { () throws(CallFailure) in try await stolen.unary(EchoServer.hold, []) }
    }
    #expect(await eventually { echo.seen.heldCount == 1 })
    try fixture.revoke("stolen")
    echo.server.reloadCertificates()
    #expect(await held.value?.code == .unavailable)
    #expect(await eventually { lines.has("certificate_revoked", "spiffe://marquee.test/edge-client/stolen") })
    #expect(await eventually { echo.server.counters.connectionsOpen == 1 })
    let started = echo.server.counters.callsStarted
    #expect(await failure(stolen)?.code == .unavailable)
    #expect(echo.server.counters.callsStarted == started)
    #expect(try await good.unary(EchoServer.unary, [3]).message == [3])
    #expect(!lines.has("certificate_revoked", "edge-client/good") && !lines.has("trust_withdrawn"))
    await stolen.close()
    await good.close()
    await echo.server.drain()
  }

  @Test("a client leaves a server whose certificate is revoked, and doesn't come back")
  func server() async throws {
    let fixture = try TLSTests.Fixture()
    var limits = WireLimits()
    limits.certificateLookMilliseconds = 5
    let echo = try await EchoServer(tls: fixture.server.configuration())
    let client = try echo.client(tls: fixture.issue(.edgeClient), limits: limits)
    _ = try await client.unary(EchoServer.unary, [])
    let held = Task {
      await outcome { () throws(CallFailure) in try await client.unary(EchoServer.hold, []) }
    }
    #expect(await eventually { echo.seen.heldCount == 1 })
    // The server itself has heard nothing of it: whoever took its key wouldn't look.
    try fixture.revoke("server", tell: ["client"])
    let lost = await held.value
    #expect(lost?.code == .unavailable && lost?.fault.message.contains("was revoked") == true)
    #expect(await eventually { echo.server.counters.connectionsOpen == 0 })
    let refusal = await failure(client)
    #expect(refusal?.code == .unavailable && refusal?.fault.message.contains("revoked") == true)
    await client.close()
    await echo.server.drain()
  }

  @Test("a list that can't be believed refuses to start, and changes nothing while it runs")
  func unbelievable() throws {
    let fixture = try TLSTests.Fixture()
    let stranger = try TLSTests.Fixture()
    let path = fixture.server.revocations
    let good = try SystemDisk().read(path, limit: 1 << 20)
    let (_, issuer, key) = try fixture.authority.signer()
    func list(_ key: KeyPair, from start: Int, to end: Int) throws -> [UInt8] {
      try RevocationList.sign([], number: 9, startSeconds: start, endSeconds: end, issuer: issuer, key: key)
        .pem()
    }
    let cases: [(String, [UInt8], String)] = [
      (
        "another authority's", try SystemDisk().read(stranger.server.revocations, limit: 1 << 20),
        "no list of"
      ),
      ("forged", try list(KeyPair.generate(), from: -300, to: 1000), "didn't sign"),
      ("over", try list(key, from: -2000, to: -1000), "was good until"),
      ("not begun", try list(key, from: 1000, to: 2000), "is good from"),
      ("cut", Array(good.prefix(good.count / 2)), "damaged"),
      ("cut before its last line", Array(good.dropLast(30)), "damaged"),
      ("good, and another cut behind it", good + good.prefix(good.count / 2), "damaged"),
      ("empty", [], "no lists"),
      ("a certificate", try issuer.pem(), "no lists"),
      (
        "not PEM", try RevocationList.sign([], number: 1, endSeconds: 9, issuer: issuer, key: key).der(),
        "PEM"
      ),
      (
        "a byte changed", good.enumerated().map { $0.offset == good.count / 2 ? $0.element ^ 1 : $0.element },
        ""
      ),
    ]
    let lines = AuditLines()
    let running = try TLSSource(
      fixture.server.configuration(), side: .server, time: SystemTime(), limits: WireLimits(),
      audit: lines.log(linesMax: 1000, linesPerCauseMax: 1000))
    for (name, bytes, reason) in cases {
      let before = ObjectIdentifier(running.context)
      try PrivateFile.write(bytes, to: path, mode: 0o644)
      for side in [Session.Side.server, .client] {
        let fault = #expect(throws: Fault.self, "\(name)") {
          try TLSContext(fixture.server.configuration(), side: side)
        }
        #expect(fault?.code == .failedPrecondition && fault?.message.contains(path) == true, "\(name)")
        #expect(fault?.message.contains(reason) == true, "\(name): \(fault?.message ?? "")")
      }
      let count = lines.all.count
      #expect(running.look() == .keptOld && running.look() == .keptOld, "\(name)")
      #expect(ObjectIdentifier(running.context) == before, "\(name)")
      #expect(lines.all.count == count + 1 && lines.has("certificates_refused", reason), "\(name)")
      try PrivateFile.write(good, to: path, mode: 0o644)
      #expect(running.look() == .nothingNew, "\(name)")
    }
    try PrivateFile.write(good + cases[0].1, to: path, mode: 0o644)
    #expect(running.look() == .tookUp(trust: true))
  }

  @Test("a list that isn't there is missed when a certificate says that there is one, and once it was there")
  func missing() throws {
    let fixture = try TLSTests.Fixture()
    var tls = fixture.server.configuration()
    let running = try TLSSource(tls, side: .server, time: SystemTime(), limits: WireLimits())
    let good = try SystemDisk().read(fixture.server.revocations, limit: 1 << 20)
    unlink(fixture.server.revocations)
    #expect(running.look() == .keptOld)
    let fault = #expect(throws: Fault.self) { try TLSContext(tls, side: .server) }
    #expect(fault?.message.contains("http://crl.marquee.test/") == true)
    // A certificate of an authority without lists.
    let (_, issuer, issuerKey) = try fixture.authority.signer()
    let key = try KeyPair.generate()
    let plain = try CertificateTemplate.leaf(
      trustDomain: "marquee.test", path: "edge/server", name: "server", hosts: [], days: 1)
    try PrivateFile.write(
      try plain.sign(key, issuer: issuer, issuerKey: issuerKey).pem(), to: fixture.server.certificateChain,
      mode: 0o644)
    try PrivateFile.write(try key.pem(), to: fixture.server.privateKey, mode: 0o600)
    let source = try TLSSource(tls, side: .server, time: SystemTime(), limits: WireLimits())
    #expect(source.context.revocations == nil)
    tls.requiresRevocations = true
    #expect(throws: Fault.self) { try TLSContext(tls, side: .server) }
    try PrivateFile.write(good, to: fixture.server.revocations, mode: 0o644)
    #expect(source.look() == .tookUp(trust: true) && source.context.revocations != nil)
    unlink(fixture.server.revocations)
    #expect(source.look() == .keptOld && running.look() == .keptOld)
  }

  @Test(
    "a list that ends is announced from its last quarter on, once a day, and lets nobody in after its end")
  func ending() async throws {
    let fixture = try TLSTests.Fixture()
    let client = try fixture.issue(.edgeClient)
    let lines = AuditLines()
    let time = ManualTime(now: SystemTime().now)
    _ = try fixture.authority.relist(days: 40)
    try fixture.authority.distributeList(to: fixture.directory + "/server")
    func warnings() -> Int { lines.all.filter { $0.contains("revocations_ending") }.count }
    let echo = try await EchoServer(
      tls: fixture.server.configuration(), time: time, audit: lines.log(time: time))
    func call() async throws -> CallFailure? {
      let connection = try echo.client(tls: client)
      let result = await failure(connection)
      await connection.close()
      return result
    }
    let day: Int64 = 86_400_000
    time.advance(milliseconds: 29 * day)
    echo.server.reloadCertificates()
    #expect(warnings() == 0)
    time.advance(milliseconds: 2 * day)
    for _ in 0..<3 { echo.server.reloadCertificates() }
    #expect(warnings() == 1 && lines.has("revocations_ending", "authority.crl", "renew"))
    time.advance(milliseconds: day)
    echo.server.reloadCertificates()
    #expect(warnings() == 2)
    #expect(try await call() == nil)
    time.advance(milliseconds: 9 * day)
    #expect(try await call()?.code == .unavailable)
    #expect(await eventually { lines.has("handshake_refused", "list of revoked certificates has ended") })
    _ = try fixture.authority.relist(days: 90)
    try fixture.authority.distributeList(to: fixture.directory + "/server")
    echo.server.reloadCertificates()
    #expect(try await call() == nil)
    await echo.server.drain()
  }

  @Test(
    "a peer that was shaking hands when its certificate was revoked gets no call through",
    .timeLimit(.minutes(1)))
  func betweenTimes() async throws {
    let fixture = try TLSTests.Fixture()
    let lines = AuditLines()
    let stolen = try fixture.issue(.edgeClient, "stolen")
    let echo = try await EchoServer(tls: fixture.server.configuration(), audit: lines.log())
    let socket = try BlockingTLS(port: echo.port, tls: stolen)
    #expect(await eventually { echo.server.counters.connectionsOpen == 1 })
    try fixture.revoke("stolen")
    echo.server.reloadCertificates()
    // A new connection is refused: so the list holds, and the one from before is still open.
    let late = try echo.client(tls: stolen)
    #expect(await failure(late)?.code == .unavailable)
    #expect(try socket.shakesHandsAndIsCut())
    #expect(await eventually { lines.has("certificate_revoked", "edge-client/stolen") })
    #expect(echo.server.counters.callsStarted == 0)
    await late.close()
    await echo.server.drain()
  }
}

extension TLSTests.Fixture {
  /// Revokes the certificate of `NAME/NAME.pem`, and brings the list to the endpoints in these folders.
  func revoke(_ name: String, tell folders: [String] = ["server"]) throws {
    _ = try authority.relist(revoking: [authority.serial(of: name, in: "\(directory)/\(name)")])
    for folder in folders { try authority.distributeList(to: "\(directory)/\(folder)") }
  }
}

/// A client's TLS on a socket of its own, which begins when it is told to.
private final class BlockingTLS {
  private let descriptor: Int32
  private let engine: TLSEngine

  init(port: Int, tls: TLSConfiguration) throws {
    engine = try TLSContext(tls, side: .client).makeEngine(host: "127.0.0.1")
    descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    var patience = timeval(tv_sec: 20, tv_usec: 0)
    setsockopt(
      descriptor, SOL_SOCKET, SO_RCVTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = in_port_t(port).bigEndian
    address.sin_addr.s_addr = in_addr_t(0x7f00_0001).bigEndian
    let result = withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
    guard result == 0 else { throw Fault(.unavailable, errnoText()) }
  }

  deinit { close(descriptor) }

  /// Whether the server ends the connection although the handshake, as this side sees it, went well.
  func shakesHandsAndIsCut() throws -> Bool {
    var hasShakenHands = false
    var bytes = [UInt8](repeating: 0, count: 1 << 14)
    while true {
      if !hasShakenHands { hasShakenHands = try engine.shakeHands() }
      var output = ByteBuffer()
      engine.takeOutput(into: &output)
      let out = Array(output.readableBytesView)
      guard out.isEmpty || send(descriptor, out, out.count, Int32(MSG_NOSIGNAL)) == out.count else {
        return hasShakenHands
      }
      let count = recv(descriptor, &bytes, bytes.count, 0)
      // Nothing within the time that recv may take is a connection that goes on.
      guard count > 0 else { return hasShakenHands && !(count < 0 && errno == EAGAIN) }
      bytes.withUnsafeBytes { engine.receive(UnsafeRawBufferPointer(rebasing: $0[..<count])) }
      if hasShakenHands, try !engine.read({ _ in }) { return true }
    }
  }
}
