import Base
import Glibc
import Testing

@testable import Wire

/// Certificates that are wrong in one way each: none of them reaches a handler, and each is in the audit log.
@Suite struct CertificateMatrixTests {
  private struct Case {
    var name: String
    var tls: TLSConfiguration
    var kind: AuditEvent.Kind
  }

  @Test("no certificate that is wrong in one way reaches a handler, and each is written down")
  func matrix() async throws {
    let fixture = try TLSTests.Fixture()
    let stranger = try TLSTests.Fixture()
    let lines = AuditLines()
    let echo = try await EchoServer(
      tls: fixture.server.configuration(), audit: lines.log(linesPerCauseMax: 1000))
    let cases = try untrusted(fixture, stranger) + misnamed(fixture)
    for each in cases {
      let before = lines.all.count
      let client = try echo.client(tls: each.tls)
      for path in [EchoServer.unary, "/none.Such/Method"] {
        let failure = await outcome { () throws(CallFailure) in try await client.unary(path, []) }
        #expect(failure?.code == .unavailable, "\(each.name)")
      }
      await client.close()
      #expect(await eventually { lines.all.count > before }, "\(each.name)")
      let line = lines.all.last ?? ""
      #expect(line.contains("\"event\":\"\(each.kind.rawValue)\""), "\(each.name): \(line)")
    }
    #expect(echo.server.counters.callsStarted == 0)
    // The server is there, and the fixture's certificates are good: nothing else was refused.
    let good = try echo.client(tls: fixture.issue(.edgeClient, "good"))
    #expect(try await good.unary(EchoServer.unary, [1]).message == [1])
    await good.close()
    await echo.server.drain()
  }

  /// TLS itself refuses these.
  private func untrusted(
    _ fixture: TLSTests.Fixture, _ stranger: TLSTests.Fixture
  ) throws -> [Case] {
    let none = TLSConfiguration(
      certificateChainFile: nil, privateKeyFile: nil, authoritiesFile: fixture.server.authorities,
      trustDomain: "marquee.test")
    var foreign = try stranger.issue(.edgeClient)
    foreign.authoritiesFile = fixture.server.authorities
    foreign.revocationsFile = fixture.server.revocations
    var own = try fixture.issue(.edgeClient, "plain")
    own.certificateChainFile = fixture.directory + "/ca/authority.pem"
    own.privateKeyFile = fixture.directory + "/ca/authority.key"
    let cases: [(String, TLSConfiguration)] = [
      ("none", none),
      ("the authority's own", own),
      ("another authority", foreign),
      (
        "expired",
        try fixture.issue(
          {
            $0.startSeconds = -1000; $0.endSeconds = -500
          }, "expired")
      ),
      ("not yet valid", try fixture.issue({ $0.startSeconds = 1000 }, "early")),
      ("for servers only", try fixture.issue({ $0.extendedKeyUsage = "serverAuth" }, "server-only")),
      ("for signing code only", try fixture.issue({ $0.extendedKeyUsage = "codeSigning" }, "code-only")),
      (
        "for nothing in particular", try fixture.issue({ $0.extendedKeyUsage = "anyExtendedKeyUsage" }, "any")
      ),
      ("signed by itself", try fixture.selfSigned()),
      ("signed by what is no authority", try fixture.signedByLeaf()),
    ]
    return cases.map { Case(name: $0.0, tls: $0.1, kind: .handshakeRefused) }
  }

  /// Certificates of our authority that say the wrong thing.
  private func misnamed(_ fixture: TLSTests.Fixture) throws -> [Case] {
    let good = "URI:spiffe://marquee.test/edge-client/odd"
    let names: [(String, [String])] = [
      ("two URIs", [good, "URI:spiffe://marquee.test/ops/odd"]),
      ("the same URI twice", [good, good]),
      ("a URI that isn't SPIFFE beside it", [good, "URI:https://marquee.test/ops"]),
      ("no URI", ["DNS:localhost"]),
      ("no names at all", []),
      ("a role as a DNS name", ["DNS:edge-client"]),
      ("no path", ["URI:spiffe://marquee.test"]),
      ("an empty path", ["URI:spiffe://marquee.test/"]),
      ("an empty first segment", ["URI:spiffe://marquee.test//edge-client/odd"]),
      ("an empty segment within", ["URI:spiffe://marquee.test/edge-client//odd"]),
      ("an empty segment at the end", ["URI:spiffe://marquee.test/edge-client/"]),
      ("no role", ["URI:spiffe://marquee.test/root/odd"]),
      ("a role's beginning", ["URI:spiffe://marquee.test/edge-client-2"]),
      ("a role behind a way up", ["URI:spiffe://marquee.test/../ops/odd"]),
      ("a way up behind the role", ["URI:spiffe://marquee.test/ops/../edge"]),
      ("a dot", ["URI:spiffe://marquee.test/ops/."]),
      ("a role in capitals", ["URI:spiffe://marquee.test/OPS/odd"]),
      ("an escaped role", ["URI:spiffe://marquee.test/%6fps/odd"]),
      ("an escaped slash", ["URI:spiffe://marquee.test/ops%2fodd"]),
      ("an escaped name", ["URI:spiffe://marquee.test/ops/%6fdd"]),
      ("a query", ["URI:spiffe://marquee.test/ops/odd?x"]),
      ("a fragment", ["URI:spiffe://marquee.test/ops/odd#x"]),
      ("a space", ["URI:spiffe://marquee.test/ops/o dd"]),
      ("a scheme in capitals", ["URI:SPIFFE://marquee.test/ops/odd"]),
      ("another scheme", ["URI:https://marquee.test/ops/odd"]),
      ("a trust domain in capitals", ["URI:spiffe://MARQUEE.test/ops/odd"]),
      ("another trust domain", ["URI:spiffe://else.test/ops/odd"]),
      ("a trust domain that begins as ours", ["URI:spiffe://marquee.test.evil/ops/odd"]),
      ("a user before the trust domain", ["URI:spiffe://x@marquee.test/ops/odd"]),
      ("a port behind the trust domain", ["URI:spiffe://marquee.test:443/ops/odd"]),
      ("a name too long", ["URI:spiffe://marquee.test/ops/" + String(repeating: "x", count: 2048)]),
    ]
    var cases = try names.enumerated().map { index, each in
      Case(
        name: each.0, tls: try fixture.issue({ $0.alternativeNames = each.1 }, "names-\(index)"),
        kind: .identityRefused)
    }
    // OpenSSL lets one that may also sign handshakes through.
    let lesser = try fixture.issue(
      {
        $0.isAuthority = true
        $0.keyUsage = "critical,keyCertSign,digitalSignature"
      }, "lesser")
    cases.append(Case(name: "an authority below ours with a role", tls: lesser, kind: .identityRefused))
    let signing = try fixture.issue({ $0.keyUsage = "critical,digitalSignature,cRLSign" }, "signing")
    cases.append(Case(name: "a leaf that may sign lists", tls: signing, kind: .identityRefused))
    return cases
  }

  @Test("a certificate is in time by the server's clock, and by the client's")
  func clock() async throws {
    let fixture = try TLSTests.Fixture()
    var client = try fixture.issue(.edgeClient)
    var server = fixture.server.configuration()
    // The list of revoked certificates is in time as well, and would be what is refused.
    (client.revocationsFile, server.revocationsFile) = (nil, nil)
    for days: Int64 in [-1, 0, 91] {
      let now = SystemTime().now.advanced(bySeconds: days * 86_400)
      let echo = try await EchoServer(tls: server, time: ManualTime(now: now))
      let connection = try echo.client(tls: client)
      let failure = await outcome { () throws(CallFailure) in try await connection.unary(EchoServer.unary, [])
      }
      #expect(failure?.code == (days == 0 ? nil : .unavailable), "\(days) days from now")
      await connection.close()
      await echo.server.drain()
    }
    let echo = try await EchoServer(tls: fixture.server.configuration())
    let late = ManualTime(now: SystemTime().now.advanced(bySeconds: 91 * 86_400))
    let connection = try ClientConnection(
      host: echo.host, port: echo.port, tls: client, time: late, loops: sharedLoops)
    let failure = await outcome { () throws(CallFailure) in try await connection.unary(EchoServer.unary, []) }
    #expect(failure?.code == .unavailable && failure?.fault.message.contains("expired") == true)
    await connection.close()
    await echo.server.drain()
  }

  @Test("a client takes no server whose certificate is for clients, or of a role that serves nobody")
  func servers() async throws {
    let fixture = try TLSTests.Fixture()
    var client = try fixture.issue(.edgeClient)
    let forClients = try fixture.issue(
      {
        $0.alternativeNames.append("IP:127.0.0.1"); $0.extendedKeyUsage = "clientAuth"
      }, "client-only")
    let posing = try fixture.issue(.edgeClient, "posing")
    for (server, roles, isTaken) in [
      (forClients, Set<Role>(), false), (posing, [.edge, .control], false), (posing, [], true),
      (fixture.server.configuration(), [.edge, .control], true),
      (fixture.server.configuration(), [.control], false),
    ] {
      let echo = try await EchoServer(tls: server)
      client.serverRoles = roles
      let connection = try echo.client(tls: client)
      let failure = await outcome { () throws(CallFailure) in try await connection.unary(EchoServer.unary, [])
      }
      #expect(failure?.code == (isTaken ? nil : .unavailable))
      if !isTaken {
        #expect(failure?.fault.message.contains("certificate") == true, "\(failure?.fault.message ?? "")")
      }
      await connection.close()
      await echo.server.drain()
    }
  }
}

extension TLSTests.Fixture {
  /// A certificate with a good name that nobody else signed.
  func selfSigned() throws -> TLSConfiguration {
    let key = try KeyPair.generate()
    return try write("self-signed", [try leaf.sign(key, issuer: nil, issuerKey: key)], key)
  }

  /// A certificate with a good name, signed by a caller's own.
  func signedByLeaf() throws -> TLSConfiguration {
    let above = try KeyPair.generate()
    let middle = try leaf.sign(
      above, issuer: try Certificate.read(authority.directory + "/authority.pem"),
      issuerKey: try KeyPair.read(authority.directory + "/authority.key"))
    let key = try KeyPair.generate()
    return try write("below", [try leaf.sign(key, issuer: middle, issuerKey: above), middle], key)
  }

  private var leaf: CertificateTemplate {
    get throws {
      try CertificateTemplate.leaf(
        trustDomain: "marquee.test", path: "edge-client/odd", name: "odd", hosts: ["localhost"], days: 1)
    }
  }

  private func write(_ name: String, _ chain: [Certificate], _ key: KeyPair) throws -> TLSConfiguration {
    try SystemDisk().createDirectory("\(directory)/\(name)")
    let base = "\(directory)/\(name)/\(name)"
    try PrivateFile.write(try chain.flatMap { try $0.pem() }, to: base + ".pem", mode: 0o644)
    try PrivateFile.write(try key.pem(), to: base + ".key", mode: 0o600)
    return TLSConfiguration(
      certificateChainFile: base + ".pem", privateKeyFile: base + ".key", authoritiesFile: server.authorities,
      trustDomain: "marquee.test")
  }
}
