import Base
import Serving
import Synchronization
import Wire

/// Fetches chunks for a staging, from replicas of the region and from the control node.
///
/// Keeps one connection a place; the mutex guards the table of them.
final class ChunkFetcher: ChunkSource {
  private let control: Address
  private let tls: TLSConfiguration?
  private let loops: WireLoops
  private let connections = Mutex<[String: ClientConnection]>([:])

  init(control: Address, tls: TLSConfiguration?, loops: WireLoops) {
    self.control = control
    self.tls = tls
    self.loops = loops
  }

  func fetch(_ digests: [Digest], from origin: ChunkOrigin) -> AsyncStream<FetchedChunk> {
    AsyncStream { continuation in
      let fetching = Task {
        do {
          let connection = try connection(to: origin)
          let replies = try await ChunksStub(connection).fetch(
            digests, deadline: SystemTime().instant.advanced(byMilliseconds: 60_000))
          for try await reply in replies {
            continuation.yield(FetchedChunk(digest: reply.digest, bytes: reply.data))
          }
        } catch {
          log("fetching \(digests.count) chunks from \(origin): \(error)")
        }
        continuation.finish()
      }
      continuation.onTermination = { _ in fetching.cancel() }
    }
  }

  private func connection(to origin: ChunkOrigin) throws(Fault) -> ClientConnection {
    let address: Address
    switch origin {
    case .control: address = control
    case .peer(let text): address = try Address(text)
    }
    return try connections.withLock { (connections) throws(Fault) in
      if let known = connections["\(address)"] { return known }
      let connection = try ClientConnection(
        host: address.host, port: address.port, tls: tls, time: SystemTime(), loops: loops,
        keepalive: Keepalive(intervalMilliseconds: 10_000, timeoutMilliseconds: 5_000))
      connections["\(address)"] = connection
      return connection
    }
  }

  func close() async {
    for connection in connections.withLock({ Array($0.values) }) { await connection.close() }
  }
}
