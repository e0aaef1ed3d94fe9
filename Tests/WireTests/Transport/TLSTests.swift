import Base
import Glibc
import Testing

@testable import Wire

@Suite struct TLSTests {
  /// An authority in a directory of its own, which goes with it.
  final class Fixture: Sendable {
    let directory: String
    let authority: DevelopmentAuthority
    let server: DevelopmentAuthority.Files

    init() throws {
      var template = Array("/tmp/marquee-tls-XXXXXX".utf8CString)
      guard let made = mkdtemp(&template) else { throw Fault(.internalError, errnoText()) }
      directory = String(cString: made)
      authority = try DevelopmentAuthority.create(in: directory + "/ca", trustDomain: "marquee.test")
      server = try authority.issue(role: .edge, name: "server", into: directory + "/server")
    }

    deinit {
      remove(directory)
    }

    private func remove(_ path: String) {
      for name in (try? SystemDisk().list(path)) ?? [] where unlink("\(path)/\(name)") != 0 {
        remove("\(path)/\(name)")
      }
      rmdir(path)
    }

    func issue(_ role: Role, _ name: String = "client") throws -> TLSConfiguration {
      try authority.issue(role: role, name: name, into: "\(directory)/\(name)").configuration()
    }

    func issue(_ change: (inout CertificateTemplate) -> Void, _ name: String = "odd") throws
      -> TLSConfiguration
    {
      var template = try CertificateTemplate.leaf(
        trustDomain: "marquee.test", path: "edge-client/odd", name: "odd", hosts: ["localhost"], days: 1)
      change(&template)
      return try authority.issue(template, name: name, into: "\(directory)/\(name)").configuration()
    }
  }

  @Test("mutual TLS carries calls of every size, and the caller's role")
  func mutual() async throws {
    let fixture = try Fixture()
    let echo = try await EchoServer(tls: fixture.server.configuration())
    let client = try echo.client(tls: fixture.issue(.edgeClient))
    for count in [0, 1, 16_384, 100_000, 3_000_000] {
      let message = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 31) }
      #expect(try await client.unary(EchoServer.unary, message).message == message)
    }
    let described = try await client.unary(EchoServer.describe, [])
    #expect(
      String(decoding: described.message, as: UTF8.self)
        == "edge-client spiffe://marquee.test/edge-client/client no deadline")
    let failure = await outcome { () throws(CallFailure) in try await client.unary(EchoServer.ops, []) }
    #expect(failure?.code == .permissionDenied)
    let operatorClient = try echo.client(tls: fixture.issue(.ops, "operator"))
    #expect(try await operatorClient.unary(EchoServer.ops, [4]).message == [4])
    await client.close()
    await operatorClient.close()
    await echo.server.drain()
  }

  @Test("a client takes no server of another authority or another name")
  func wrongServer() async throws {
    let fixture = try Fixture()
    let stranger = try Fixture()
    let echo = try await EchoServer(tls: fixture.server.configuration())
    var untrusting = try fixture.issue(.edgeClient)
    untrusting.authoritiesFile = stranger.server.authorities
    untrusting.revocationsFile = stranger.server.revocations
    var misnamed = try fixture.issue(.edgeClient)
    misnamed.serverName = "elsewhere.example"
    for tls in [untrusting, misnamed] {
      let client = try echo.client(tls: tls)
      let failure = await outcome { () throws(CallFailure) in try await client.unary(EchoServer.unary, []) }
      #expect(failure?.code == .unavailable)
      #expect(failure?.fault.message.contains("certificate") == true, "\(failure?.fault.message ?? "")")
      await client.close()
    }
    var named = try fixture.issue(.edgeClient)
    named.serverName = "localhost"
    let client = try echo.client(tls: named)
    #expect(try await client.unary(EchoServer.unary, [1]).message == [1])
    await client.close()
    await echo.server.drain()
  }

  @Test("plain text to a TLS server gets no call, and TLS to a plain server neither")
  func mixed() async throws {
    let fixture = try Fixture()
    let secure = try await EchoServer(tls: fixture.server.configuration())
    let plain = try await EchoServer()
    let first = try secure.client()
    let second = try plain.client(tls: fixture.issue(.edgeClient))
    let failures = [
      await outcome { () throws(CallFailure) in try await first.unary(EchoServer.unary, []) },
      await outcome { () throws(CallFailure) in try await second.unary(EchoServer.unary, []) },
    ]
    for failure in failures { #expect(failure?.code == .unavailable) }
    await first.close()
    await second.close()
    await secure.server.drain()
    await plain.server.drain()
  }

  @Test("a key that others may read refuses to start, and so does a key of another certificate")
  func keyFiles() async throws {
    let fixture = try Fixture()
    var configuration = fixture.server.configuration()
    chmod(fixture.server.privateKey, 0o640)
    #expect(throws: Fault.self) { try TLSContext(configuration, side: .server) }
    chmod(fixture.server.privateKey, 0o600)
    _ = try TLSContext(configuration, side: .server)
    configuration.privateKeyFile = fixture.directory + "/ca/authority.key"
    #expect(throws: Fault.self) { try TLSContext(configuration, side: .server) }
    configuration.privateKeyFile = "/nowhere"
    #expect(throws: Fault.self) { try TLSContext(configuration, side: .server) }
    configuration = fixture.server.configuration()
    configuration.authoritiesFile = "/nowhere"
    #expect(throws: Fault.self) { try TLSContext(configuration, side: .server) }
  }

  @Test("plain text beyond loopback refuses to start without the flag")
  func plainText() async throws {
    func start(_ host: String, _ allowed: Bool) async throws {
      let server = Server(
        configuration: ServerConfiguration(
          host: host, port: 0, tls: nil, allowPlaintextBeyondLoopback: allowed), methods: [],
        time: SystemTime())
      _ = try await server.start()
      await server.drain()
    }
    do {
      try await start("0.0.0.0", false)
      Issue.record("it started")
    } catch {
      #expect((error as? Fault)?.code == .failedPrecondition)
    }
    try await start("0.0.0.0", true)
    try await start("127.0.0.1", false)
    try await start("localhost", false)
  }

  @Test("an authority is made once, opened again, and its names can't smuggle extensions in")
  func authority() async throws {
    let fixture = try Fixture()
    #expect(throws: Fault.self) {
      try DevelopmentAuthority.create(in: fixture.directory + "/ca", trustDomain: "marquee.test")
    }
    let again = try DevelopmentAuthority.open(fixture.directory + "/ca")
    #expect(again.trustDomain == "marquee.test")
    let files = try again.issue(
      role: .control, name: "second", hosts: ["example.com", "10.0.0.1"], into: fixture.directory + "/second")
    var status = stat()
    #expect(stat(files.privateKey, &status) == 0 && status.st_mode & 0o777 == 0o600)
    for name in ["", "a,URI:spiffe://marquee.test/ops/x", "../x", "a/b", "a b", ".hidden"] {
      #expect(throws: Fault.self) { try again.issue(role: .edge, name: name, into: fixture.directory + "/x") }
    }
    for host in ["", "a,DNS:b", "a b", "1:2:3,IP:::1"] {
      #expect(throws: Fault.self) {
        try again.issue(role: .edge, name: "x", hosts: [host], into: fixture.directory + "/x")
      }
    }
    #expect(throws: Fault.self) { try DevelopmentAuthority.open("/nowhere") }
  }
}
