import ArgumentParser
import Base
import Foundation
import Wire

/// Where a server listens, and as whom.
struct ListenOptions: ParsableArguments {
  @OptionGroup var identity: IdentityOptions
  @Flag(
    help:
      "With --plaintext: listen beyond loopback without TLS. Anybody who reaches the port may do anything.")
  var allowPlaintextBeyondLoopback = false
  @Option(
    help: ArgumentHelp(
      "Where refused calls, handshakes and certificates are written down, a line of JSON each; standard error when not said.",
      valueName: "file"), completion: .file())
  var auditLog: String?
  @Option(
    help: ArgumentHelp(
      "Age at which a connection is asked to make way for a new one, ± 10 %. No call fails by it.",
      valueName: "seconds"))
  var connectionAge: UInt64 = 3600
  @Option(
    help: ArgumentHelp(
      "Time without a call after which a connection is closed, ± 10 %.", valueName: "seconds"))
  var connectionIdle: UInt64 = 900

  func validate() throws {
    guard (1...1_000_000_000).contains(connectionAge), (1...1_000_000_000).contains(connectionIdle) else {
      throw ValidationError("--connection-age and --connection-idle are 1 to 1000000000 seconds")
    }
  }

  func configuration(_ address: Address, role: Role, loops: Int) throws(Fault) -> ServerConfiguration {
    var limits = WireLimits()
    limits.connectionAgeMilliseconds = connectionAge * 1000
    limits.connectionIdleMilliseconds = connectionIdle * 1000
    return ServerConfiguration(
      host: address.host, port: address.port, tls: try identity.tls(role: role),
      allowPlaintextBeyondLoopback: allowPlaintextBeyondLoopback,
      anonymousRoles: identity.plaintext ? Set(Role.allCases) : [], limits: limits,
      loopCount: loops)
  }
}

/// SIGTERM and SIGINT, as something to wait for.
enum StopSignal {
  static func wait() async {
    let numbers = [SIGTERM, SIGINT]
    let sources = numbers.map { number in
      signal(number, SIG_IGN)
      return DispatchSource.makeSignalSource(signal: number, queue: .global())
    }
    let (stream, continuation) = AsyncStream.makeStream(of: Int32.self)
    for (number, source) in zip(numbers, sources) {
      source.setEventHandler { continuation.yield(number) }
      source.resume()
    }
    for await number in stream {
      log("stopping on \(number == SIGTERM ? "SIGTERM" : "SIGINT")")
      break
    }
    for source in sources { source.cancel() }
  }
}

/// Looks at the certificates of `server` at each SIGHUP, for as long as the process runs.
enum ReloadSignal {
  static func reload(_ server: Server) -> any DispatchSourceSignal {
    signal(SIGHUP, SIG_IGN)
    let source = DispatchSource.makeSignalSource(signal: SIGHUP, queue: .global())
    source.setEventHandler {
      log("looking at the certificates on SIGHUP")
      server.reloadCertificates()
    }
    source.resume()
    return source
  }
}

/// One line on standard output, with the time: what a service says of itself. A line that can't be written, because
/// the disk is full or nobody reads any more, is lost: that is no reason to stop serving.
func log(_ text: String) {
  try? FileHandle.standardOutput.write(contentsOf: Data("\(Date().ISO8601Format()) \(text)\n".utf8))
}
