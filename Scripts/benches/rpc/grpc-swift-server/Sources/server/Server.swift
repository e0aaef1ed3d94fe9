import GRPCCore
import GRPCNIOTransportHTTP2Posix
import GRPCProtobuf
import NIOPosix

/// The peer of the RPC benchmark on grpc-swift-2 and its NIO transport: `server PORT [CERTIFICATE KEY]`.
///
/// ranking.pb.swift beside this file is generated from Protos when the benchmark builds it. One event loop, as the
/// other servers have one thread.
@main
struct Server {
  static func main() async throws {
    let arguments = CommandLine.arguments
    guard arguments.count == 2 || arguments.count == 4, let port = Int(arguments[1]) else {
      print("usage: server PORT [CERTIFICATE KEY]")
      return
    }
    var security = HTTP2ServerTransport.Posix.TransportSecurity.plaintext
    if arguments.count == 4 {
      security = .tls(
        certificateChain: [.file(path: arguments[2], format: .pem)],
        privateKey: .file(path: arguments[3], format: .pem))
    }
    let transport = HTTP2ServerTransport.Posix(
      address: .ipv4(host: "127.0.0.1", port: port), transportSecurity: security,
      // Without this it ends a connection at its 101st call in flight and never says that it will.
      config: .defaults { $0.http2.maxConcurrentStreams = 1000 },
      eventLoopGroup: MultiThreadedEventLoopGroup(numberOfThreads: 1))
    try await GRPCServer(transport: transport, services: [Ranking()]).serve()
  }
}

struct Ranking: RegistrableRPCService {
  func registerMethods<Transport: ServerTransport>(with router: inout RPCRouter<Transport>) {
    router.registerHandler(
      forMethod: MethodDescriptor(fullyQualifiedService: "marquee.v1.Ranking", method: "Rank"),
      deserializer: ProtobufDeserializer<Marquee_V1_RankRequest>(),
      serializer: ProtobufSerializer<Marquee_V1_RankResponse>()
    ) { request, _ in
      let request = try await ServerRequest(stream: request)
      return StreamingServerResponse(single: ServerResponse(message: Self.reply(to: request.message)))
    }
  }

  static let ids = (0..<50).map { "t\(1_000_000 + $0 * 7919)" }
  static let names = (0..<50).map { "Long Way Home \(100 + $0)" }

  static func reply(to request: Marquee_V1_RankRequest) -> Marquee_V1_RankResponse {
    let seed = request.profileID.utf8.reduce(0) { $0 + Int($1) }
    var row = Marquee_V1_Row()
    row.id = "top_picks"
    row.name = "Top picks for you"
    let count = min(Int(request.titlesPerRow), 50)
    row.titles.reserveCapacity(count)
    for index in 0..<count {
      var title = Marquee_V1_RankedTitle()
      title.id = ids[index]
      title.name = names[index]
      title.score = Float(1000 - index * 15 - seed % 7) / 1000
      title.source = Marquee_V1_CandidateSource(rawValue: 1 + (seed + index) % 6) ?? .unspecified
      row.titles.append(title)
    }
    var reply = Marquee_V1_RankResponse()
    reply.requestID = request.requestID
    reply.rows = [row]
    reply.snapshot.sequence = 42
    reply.snapshot.digest = "5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef"
    reply.snapshot.space = "space-3"
    reply.snapshot.model = "ranker-2026-11-20"
    reply.snapshot.features = "features-7"
    reply.snapshot.policy = "policy-12"
    reply.region = "north"
    reply.replica = "north-1"
    reply.routingEpoch = 7
    return reply
  }
}
