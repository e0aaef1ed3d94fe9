import Base
import Features
import Snapshots
import Synchronization
import Testing

@testable import Serving

/// A control node's library, a replica beside it, and chunks that go from the one to the other, perhaps badly.
final class TestFleet: ChunkSource {
  struct State {
    var asked: [ChunkOrigin: Int] = [:]
    /// What is made of a chunk on its way; `nil` is lost.
    var deliver: @Sendable (ChunkOrigin, [UInt8]) -> [UInt8]? = { $1 }
    var pauseCount = 0
    var onPause: @Sendable (Int) -> Void = { _ in }
  }

  let directory = TestDirectory()
  let control: SnapshotLibrary
  let time = ManualTime(now: TestSnapshot.now)
  let state = Mutex(State())

  init() throws {
    control = try SnapshotLibrary(
      directory: "\(directory.path)/control", disk: SystemDisk(), trusted: [TestSnapshot.key.publicKey])
  }

  func fetch(_ digests: [Digest], from origin: ChunkOrigin) -> AsyncStream<FetchedChunk> {
    let deliver = state.withLock { state in
      state.asked[origin, default: 0] += digests.count
      return state.deliver
    }
    return AsyncStream { continuation in
      for digest in digests {
        guard let found = try? control.chunk(digest), let bytes = deliver(origin, found) else { continue }
        continuation.yield(FetchedChunk(digest: digest, bytes: bytes))
      }
      continuation.finish()
    }
  }

  func asked(_ origin: ChunkOrigin) -> Int { state.withLock { $0.asked[origin] ?? 0 } }

  /// A replica over the fleet's directory: the same name again is a restart.
  func replica(
    _ name: String = "r1", disk: any Disk = SystemDisk(), stages: RankStages = RankStages(),
    recallSamplePeriod: Int = 0, recallIntervalMilliseconds: Int = 10_000
  ) throws -> TestReplica {
    let home = "\(directory.path)/\(name)"
    let events = try EventPath.open("\(home)/events", disk: SystemDisk(), time: time)
    var settings = Replica.Settings(
      region: "eu", replica: name, directory: home, pool: .init(threadCount: 2), processStart: time.instant)
    settings.recallSamplePeriod = recallSamplePeriod
    settings.recallIntervalMilliseconds = recallIntervalMilliseconds
    let replica = try Replica(
      settings,
      trusted: [TestSnapshot.key.publicKey], events: events.path, chunks: self, disk: disk, time: time,
      stages: stages, random: { 42 },
      pause: { [self] milliseconds in
        let onPause = state.withLock { state in
          state.pauseCount += 1
          return state.onPause
        }
        onPause(milliseconds)
        await Task.yield()
      })
    return TestReplica(replica: replica, log: events.log)
  }

  func rollback(from: UInt64, to version: VerifiedManifest, issuedAfterSeconds: Int64 = 0) -> SignedBytes {
    let issued = time.now.advanced(bySeconds: issuedAfterSeconds)
    let order = RollbackOrder(
      region: "", fromSequence: from, toSequence: version.sequence, toDigest: version.digest, issued: issued,
      expires: issued.advanced(bySeconds: 600))
    return SignedBytes(signing: order.bytes, purpose: .rollback, key: TestSnapshot.key)
  }
}

extension ChunkOrigin: Hashable {
  public func hash(into hasher: inout Swift.Hasher) { hasher.combine("\(self)") }
}

struct TestReplica {
  let replica: Replica
  let log: EmbeddedEventLog

  func stop() async {
    await replica.stop()
    await log.close()
  }

  func rank(_ request: RankRequest) async throws -> RankReply {
    try await withCheckedContinuation { continuation in
      replica.rank(request) { continuation.resume(returning: $0) }
    }.get()
  }

  func fault(_ request: RankRequest) async -> Fault? {
    do {
      _ = try await rank(request)
      return nil
    } catch { return error as? Fault }
  }

  func stage(_ version: VerifiedManifest, peers: [String] = []) async -> FollowReport? {
    await replica.handle(Directive(nonce: 1, body: .stage(manifest: version.envelope, peers: peers)))
  }

  func announce(_ version: VerifiedManifest, rollback: SignedBytes? = nil) async -> FollowReport? {
    await replica.handle(
      Directive(
        nonce: 2,
        body: .announce(sequence: version.sequence, digest: version.digest, rollback: rollback)))
  }
}

extension FollowReport? {
  var refusal: Refusal? {
    if case .refused(_, let refusal, _) = self { return refusal }
    return nil
  }

  var isAcknowledged: Bool {
    if case .acknowledged = self { return true }
    return false
  }
}
