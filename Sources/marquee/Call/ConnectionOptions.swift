import ArgumentParser
import Base
import Foundation
import Wire

/// Who we are on the wire: the same options on every command that dials or listens.
struct IdentityOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Directory with authority.pem, authority.crl, IDENTITY.pem and IDENTITY.key (or set MARQUEE_CERTS).",
      valueName: "dir"),
    completion: .directory)
  var certs: String?

  @Option(help: "Which certificate of the directory; the command's own role when not said.")
  var identity: String?

  @Option(help: "The trust domain of SPIFFE URIs; that of authority.pem when not said.")
  var trustDomain: String?

  @Flag(
    help:
      "Take peers without a look at authority.crl, the list of revoked certificates: for authorities without one."
  )
  var ignoreRevocation = false

  @Flag(help: "Plain text, no TLS. Only on loopback.")
  var plaintext = false

  /// `nil` with `--plaintext`.
  func tls(role: Role) throws(Fault) -> TLSConfiguration? {
    if plaintext { return nil }
    guard let directory = certs ?? ProcessInfo.processInfo.environment["MARQUEE_CERTS"] else {
      throw Fault(
        .invalidArgument,
        "say who you are with --certs DIR (make one with `marquee certs development`), or --plaintext on loopback"
      )
    }
    let domain: String
    if let trustDomain {
      domain = trustDomain
    } else {
      domain = try DevelopmentAuthority.open(directory).trustDomain
    }
    let name = identity ?? role.rawValue
    return TLSConfiguration(
      certificateChainFile: "\(directory)/\(name).pem", privateKeyFile: "\(directory)/\(name).key",
      authoritiesFile: "\(directory)/authority.pem", trustDomain: domain,
      revocationsFile: ignoreRevocation ? nil : "\(directory)/authority.crl", requiresRevocations: false,
      serverRoles: [.edge, .control])
  }
}

/// `host:port`, the last colon deciding.
struct Address: ExpressibleByArgument, CustomStringConvertible, Hashable, Sendable {
  var host: String
  var port: Int

  init?(argument: String) {
    guard let colon = argument.lastIndex(of: ":"), let port = Int(argument[argument.index(after: colon)...]),
      1...65535 ~= port, colon > argument.startIndex
    else { return nil }
    host = argument[..<colon].trimmingCharacters(in: CharacterSet(charactersIn: "[]"))
    self.port = port
  }

  init(_ text: String) throws(Fault) {
    guard let address = Address(argument: text) else {
      throw Fault(.invalidArgument, "\(text) is not host:port")
    }
    self = address
  }

  var description: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }
}

/// The control node's address and an operator's identity.
struct ControlOptions: ParsableArguments {
  @Option(help: "The control node, host:port.") var control: Address
  @Option(help: "Seconds until the command gives up.") var timeout = 30
  @OptionGroup var identity: IdentityOptions

  /// Calls the control node as an operator; closes the connection after it.
  func call<Answer: Sendable>(_ body: (OperationsStub, Instant) async throws -> Answer) async throws -> Answer
  {
    try await connected(to: control, tls: try identity.tls(role: .ops)) { connection in
      try await body(
        OperationsStub(connection),
        SystemTime().instant.advanced(byMilliseconds: UInt64(min(max(1, timeout), 1_000_000_000)) * 1000))
    }
  }
}

/// Opens a connection for the time of `body`. A call that fails is thrown as its fault.
func connected<Answer>(
  to address: Address, tls: TLSConfiguration?, _ body: (ClientConnection) async throws -> Answer
) async throws -> Answer {
  let loops = WireLoops()
  let connection = try ClientConnection(
    host: address.host, port: address.port, tls: tls, time: SystemTime(), loops: loops,
    // For what has no deadline, such as a publish: a server that is gone is noticed.
    keepalive: Keepalive(intervalMilliseconds: 10_000, timeoutMilliseconds: 10_000))
  do {
    let answer = try await body(connection)
    await connection.close()
    await loops.shutDown()
    return answer
  } catch {
    await connection.close()
    await loops.shutDown()
    throw (error as? CallFailure)?.fault ?? error
  }
}
