import Base
import NIOCore
import NIOPosix
import Synchronization

@testable import Wire

/// A server that answers each request as a script says, also as no good server would.
final class ScriptedServer: Sendable {
  typealias Script = @Sendable (Session, Int32) -> Void

  let port: Int
  let requestCount = Counter()
  private let channel: any Channel

  final class Counter: Sendable {
    private let count = Atomic<Int>(0)
    func increment() -> Int { count.add(1, ordering: .relaxed).newValue }
    var value: Int { count.load(ordering: .relaxed) }
  }

  private final class Owner: TransportOwner {
    let session = Session(side: .server, limits: WireLimits())
    let script: Script
    let opening: @Sendable (Session) -> Void
    let count: Counter

    init(script: @escaping Script, opening: @escaping @Sendable (Session) -> Void, count: Counter) {
      self.script = script
      self.opening = opening
      self.count = count
    }

    func transportDidOpen(_ certificate: PeerCertificate?) throws(Fault) { opening(session) }

    func transport(didReceive event: SessionEvent, bytes: [UInt8]) {
      guard case .endOfBody(let stream) = event else { return }
      _ = count.increment()
      script(session, stream)
    }

    func transportDidClose(_ fault: Fault) {}
    func transportIsGone() {}
  }

  init(
    tls: TLSConfiguration? = nil, opening: @escaping @Sendable (Session) -> Void = { _ in },
    _ script: @escaping Script
  ) async throws {
    let count = requestCount
    let context = try tls.map { try TLSContext($0, side: .server, time: SystemTime()) }
    channel = try await ServerBootstrap(group: sharedLoops.group)
      .childChannelInitializer { channel in
        channel.eventLoop.makeCompletedFuture {
          let owner = Owner(script: script, opening: opening, count: count)
          try channel.pipeline.syncOperations.addHandler(
            Transport(
              session: owner.session, tls: try context?.makeEngine(host: nil), owner: owner,
              limits: WireLimits()))
        }
      }
      .bind(host: "127.0.0.1", port: 0).get()
    port = channel.localAddress?.port ?? 0
  }

  func close() async { try? await channel.close() }

  func client(tls: TLSConfiguration? = nil) throws -> ClientConnection {
    try ClientConnection(host: "127.0.0.1", port: port, tls: tls, time: SystemTime(), loops: sharedLoops)
  }
}

extension HeaderBlock {
  /// Fields in a literal, names in order.
  init(_ fields: KeyValuePairs<String, String>) {
    self.init()
    for (name, value) in fields { append(name: name, value: value.utf8) }
  }
}
