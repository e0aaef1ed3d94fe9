import Base
import NIOPosix
import Wire

/// Marquee's side of `Scripts/bench rpc`: `marquee.v1.Ranking/Rank` through the whole of Wire, with the reply that all
/// servers of the benchmark make. One event loop.
@main
struct RPCBenchServer {
  /// How a request is read and its reply written.
  enum Mode: String, CaseIterable {
    /// As a replica does: a checked request, the straight-line encoder, an answer on the event loop.
    case straight
    /// protobuf-c both ways, as the C server has it.
    case protobufC = "protobuf-c"
    /// As `straight`, the answer made by a thread of a pool.
    case pool
    /// The request's own bytes: what is left when no message is read or written.
    case echo
  }

  static func main() async throws {
    let arguments = CommandLine.arguments
    guard arguments.count == 3 || arguments.count == 5, let port = Int(arguments[1]),
      let mode = Mode(rawValue: arguments[2])
    else {
      let modes = Mode.allCases.map(\.rawValue).joined(separator: "|")
      print("usage: rpc-bench-server PORT \(modes) [CERTIFICATE KEY]")
      return
    }
    var tls: TLSConfiguration?
    if arguments.count == 5 {
      tls = TLSConfiguration(
        certificateChainFile: arguments[3], privateKeyFile: arguments[4], authoritiesFile: arguments[3],
        trustDomain: "marquee.example", requireClientCertificate: false)
    }
    let configuration = ServerConfiguration(
      host: "127.0.0.1", port: port, tls: tls, anonymousRoles: [.edgeClient])
    let server = Server(
      configuration: configuration, methods: methods(mode), time: SystemTime())
    _ = try await server.start()
    while true { try await Task.sleep(for: .seconds(3600)) }
  }

  static func methods(_ mode: Mode) -> [RPCMethod] {
    let path = MarqueeMethod.rank.path
    // The load generator has no certificate; `anonymousRoles` is what its calls may do.
    return switch mode {
    case .straight: RankingService.methods { request, _, done in done(.success(Reply.make(for: request))) }
    case .protobufC: [RPCMethod(path, .unary(ProtobufCRanking.answer))]
    case .pool: pooled()
    case .echo: [RPCMethod(path, .unary { call, message in call.reply(message) })]
    }
  }

  static func pooled() -> [RPCMethod] {
    let pool = NIOThreadPool(numberOfThreads: 1)
    pool.start()
    return RankingService.methods { request, _, done in
      pool.submit { _ in done(.success(Reply.make(for: request))) }
    }
  }
}
