import ArgumentParser
import Base
import Foundation
import InteropService
import Wire

/// Serves the standard interop service, for the interop clients of any gRPC.
@main
struct InteropServer: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "interop-server",
    abstract: "Serve grpc.testing.TestService, for gRPC's interop clients.",
    discussion: """
      In plain text, or with --use_tls by the certificate of --cert and --key; with --ca callers need a certificate of
      that authority, too. --make_certs makes some. Health is served beside it. SIGTERM drains and ends.
      """)

  @Option(help: "Where to listen; 0 takes a free port and says which.")
  var port = 0
  @Option(help: "The host or address to listen at.")
  var host = "127.0.0.1"
  @Option(name: .customLong("use_tls"), help: ArgumentHelp("Speak TLS.", valueName: "true|false"))
  var useTLS = false
  @Option(help: "With --use_tls: our certificate and its intermediates, PEM.")
  var cert: String?
  @Option(help: "With --use_tls: its private key, PEM, readable by its owner only.")
  var key: String?
  @Option(
    help:
      "With --use_tls: the authority that callers' certificates must come from, PEM. Without it any may call."
  )
  var ca: String?
  @Option(
    help: "With --use_tls: the authority's list of revoked certificates, PEM, in which callers are looked up."
  )
  var crl: String?
  @Option(
    name: .customLong("make_certs"),
    help: ArgumentHelp(
      "Make an authority in this directory, with certificates `server` and `edge-client`, and stop.",
      valueName: "directory"))
  var makeCerts: String?

  static let trustDomain = "marquee.test"

  func run() async throws {
    if let makeCerts {
      let authority = try DevelopmentAuthority.create(in: makeCerts, trustDomain: Self.trustDomain)
      _ = try authority.issue(role: .edge, name: "server", into: makeCerts)
      _ = try authority.issue(role: .edgeClient, name: "edge-client", into: makeCerts)
      return
    }
    let health = HealthService(services: ["grpc.testing.TestService"], status: .serving)
    let server = Server(
      configuration: ServerConfiguration(
        host: host, port: port, tls: try tls(), allowPlaintextBeyondLoopback: true, loopCount: 2),
      methods: TestService().methods + health.methods, time: SystemTime())
    let (boundHost, boundPort) = try await server.start()
    // One line, at once: whoever started us may wait for it.
    FileHandle.standardOutput.write(Data("listening at \(boundHost):\(boundPort)\n".utf8))
    await Self.waitForStop()
    health.shutDown()
    await server.drain()
  }

  private func tls() throws -> TLSConfiguration? {
    guard useTLS else {
      guard cert == nil, key == nil, ca == nil, crl == nil else {
        throw ValidationError("--cert, --key, --ca and --crl go with --use_tls true")
      }
      return nil
    }
    guard let cert, let key else {
      throw ValidationError("--use_tls needs --cert and --key; --make_certs makes them")
    }
    return TLSConfiguration(
      certificateChainFile: cert, privateKeyFile: key, authoritiesFile: ca ?? cert,
      trustDomain: Self.trustDomain, revocationsFile: crl, requireClientCertificate: ca != nil)
  }

  private static func waitForStop() async {
    let (stream, continuation) = AsyncStream.makeStream(of: Void.self)
    let sources = [SIGTERM, SIGINT].map { number in
      signal(number, SIG_IGN)
      return DispatchSource.makeSignalSource(signal: number, queue: .global())
    }
    for source in sources {
      source.setEventHandler { continuation.yield() }
      source.resume()
    }
    for await _ in stream { break }
    for source in sources { source.cancel() }
  }
}
