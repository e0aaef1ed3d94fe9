import Base
import InteropService

@testable import Wire

/// The interop service with a client, in plain text or by mutual TLS, as the cases meet it.
final class InteropFixture: Sendable {
  enum Carrier: CaseIterable { case h2c, mutualTLS }

  let server: Server
  let client: ClientConnection
  /// How often and how long the service was asked to wait, which it doesn't.
  let sleeps: Sleeps
  private let certificates: TLSTests.Fixture?

  final class Sleeps: Sendable {
    private let all = Locked<[Int64]>([])
    func add(_ microseconds: Int64) { all.withLock { $0.append(microseconds) } }
    var list: [Int64] { all.withLock { $0 } }
  }

  /// With `sleepsForEver` a wait ends with its call only.
  init(_ carrier: Carrier, sleepsForEver: Bool = false) async throws {
    let sleeps = Sleeps()
    self.sleeps = sleeps
    let service = TestService { microseconds in
      sleeps.add(microseconds)
      if sleepsForEver { try await Task.sleep(for: .seconds(3600)) }
    }
    certificates = carrier == .mutualTLS ? try TLSTests.Fixture() : nil
    server = Server(
      configuration: ServerConfiguration(
        host: "127.0.0.1", port: 0, tls: certificates?.server.configuration()), methods: service.methods,
      time: SystemTime())
    let (host, port) = try await server.start()
    client = try ClientConnection(
      host: host, port: port, tls: certificates?.issue(.edgeClient), time: SystemTime(), loops: sharedLoops)
  }

  func close() async {
    await client.close()
    await server.drain()
  }

  static func path(_ method: String) -> String { TestService.path + method }

  func simple(
    _ request: SimpleRequest, method: String = "UnaryCall", metadata: Metadata = Metadata(),
    compresses: Bool = false
  ) async throws(CallFailure) -> (response: SimpleResponse, reply: UnaryReply) {
    let reply = try await client.unary(
      Self.path(method), request.bytes, metadata: metadata, compresses: compresses)
    do throws(Fault) { return (try SimpleResponse(decoding: reply.message), reply) } catch {
      throw CallFailure(error)
    }
  }
}

/// 271,828 bytes there, 314,159 back: what the large cases send.
func largeRequest() -> SimpleRequest {
  var request = SimpleRequest()
  request.responseSize = 314_159
  request.payload = Payload(zeros: 271_828)
  return request
}

let echoInitial = "x-grpc-test-echo-initial"
let echoTrailing = "x-grpc-test-echo-trailing-bin"
