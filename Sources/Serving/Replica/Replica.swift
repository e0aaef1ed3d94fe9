package import Base
internal import Dispatch
internal import Features
package import Snapshots

/// One serving node, without its wires: owns the snapshots on its disk, the live generation, the ranking pool, the way
/// of events and the routing that it knows. Told what to do by directives; keeps serving when nobody tells it anything.
package actor Replica {
  package struct Settings: Sendable {
    package var region: String
    package var replica: String
    /// Holds `snapshots/` and `routing`. One process at a time.
    package var directory: String
    package var pool: RankPool.Settings
    /// When the process began: what ``ReplicaStatus/readyMilliseconds`` is measured from.
    package var processStart: Instant
    /// Of how many live searches one is compared with the exact answer; 0 is none.
    package var recallSamplePeriod = 0
    /// At most one is compared in this time: it reads all vectors, 256 MB at a million titles.
    package var recallIntervalMilliseconds = 10_000

    package init(
      region: String, replica: String, directory: String, pool: RankPool.Settings, processStart: Instant
    ) {
      self.region = region
      self.replica = replica
      self.directory = directory
      self.pool = pool
      self.processStart = processStart
    }
  }

  package nonisolated let settings: Settings
  /// For serving chunks to the region's peers.
  package nonisolated let library: SnapshotLibrary
  package nonisolated let slot = LiveSlot<Generation>()
  package nonisolated let routing: Routing
  package nonisolated let counters = RankCounters()
  /// The newest status whenever it changed by itself; one reader.
  package nonisolated let changes: AsyncStream<ReplicaStatus>
  nonisolated let pool: RankPool
  /// `nil` where no search is sampled.
  private nonisolated let recallThread: RecallThread?
  nonisolated let events: EventPath
  nonisolated let chunks: any ChunkSource
  nonisolated let time: any TimeSource
  private nonisolated let random: @Sendable () -> UInt64
  /// Waits some milliseconds between attempts to fetch.
  nonisolated let pause: @Sendable (Int) async -> Void
  private nonisolated let announceChange: AsyncStream<ReplicaStatus>.Continuation
  /// Hashing, mapping and syncing: never on the ranking threads, never on the shared ones.
  private nonisolated let heavy = DispatchQueue(
    label: "marquee.replica", qos: .utility, attributes: .concurrent)

  /// Counts stagings: one that sees another number after an `await` has been overtaken.
  var stagingTicket = 0
  var isStaging = false
  var stagingCounts = Staging.Counts(bytesTotal: 0, bytesReused: 0, bytesFetched: 0)
  /// Staged, opened and warm, waiting to be announced.
  var warm: Generation?
  /// What is on the disk and could not be opened there: shown, not remembered, and mended by staging it again.
  var broken: [UInt64: ReplicaStatus.RefusedVersion] = [:]
  private var readyMilliseconds: UInt32 = 0
  private var isStopping = false
  var recallNews = RecallNews()

  /// Opens the library and the routing in the directory, and starts the pool. Nothing is served before ``start()``.
  package init(
    _ settings: Settings, trusted: [PublicKey], events: EventPath, chunks: any ChunkSource, disk: any Disk,
    time: any TimeSource, stages: RankStages = RankStages(),
    random: @escaping @Sendable () -> UInt64 = { .random(in: .min ... .max) },
    pause: @escaping @Sendable (Int) async -> Void = { try? await Task.sleep(for: .milliseconds($0)) }
  ) throws(Refusal) {
    self.settings = settings
    self.events = events
    self.chunks = chunks
    self.time = time
    self.random = random
    self.pause = pause
    library = try SnapshotLibrary(
      directory: "\(settings.directory)/snapshots", disk: disk, trusted: trusted)
    routing = try Routing(
      region: settings.region, file: RoutingFile(path: "\(settings.directory)/routing", disk: disk))
    (changes, announceChange) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    var stages = stages
    if settings.recallSamplePeriod > 0 {
      let monitor = RecallMonitor(samplePeriod: settings.recallSamplePeriod)
      stages.retriever = WatchedRetriever(retriever: stages.retriever, monitor: monitor)
      recallThread = RecallThread(
        monitor, intervalMilliseconds: settings.recallIntervalMilliseconds, time: time)
    } else {
      recallThread = nil
    }
    let worker = { @Sendable [slot, routing, counters, stages] in
      ReplicaWorker(
        slot: slot, pipeline: RankPipeline(histories: events.histories, stages: stages, time: time),
        routing: routing, counters: counters, region: settings.region, replica: settings.replica)
    }
    pool = RankPool(settings.pool, time: time, counters: counters, makeWorker: worker)
  }

  /// Serves what was served last, from this disk and with no one's help. Without anything to serve it waits for a
  /// directive. Returns when it is ready, or has nothing.
  package func start() async {
    guard slot.current == nil, let current = library.state.current else { return }
    do throws(Refusal) {
      let generation = try await opened(current.sequence, current.digest)
      guard slot.current == nil else { return }
      slot.cutover(to: generation)
      let nanoseconds = time.instant.nanoseconds(since: settings.processStart)
      // Ready is never 0, which means that it isn't.
      readyMilliseconds = max(1, UInt32(clamping: nanoseconds / 1_000_000))
    } catch {
      broken[current.sequence] = ReplicaStatus.RefusedVersion(
        sequence: current.sequence, digest: current.digest, refusal: error)
    }
    changed()
  }

  /// Lets requests finish and ends the pool. Directives and requests are refused from here on.
  package func stop() async {
    isStopping = true
    changed()
    announceChange.finish()
    await withCheckedContinuation { continuation in
      heavy.async { [pool, recallThread] in
        pool.shutdown()
        recallThread?.shutdown()
        continuation.resume()
      }
    }
  }

  /// Housekeeping, to be called about once a second: makes audiences again before they run out.
  package nonisolated func tick() async {
    await withCheckedContinuation { continuation in
      heavy.async { [slot, time] in
        slot.current?.audiences.refresh(now: time.now)
        continuation.resume()
      }
    }
  }

  /// Snapshots on this disk that can't be served. Not refused: they were right once, and staging them again mends them.
  package var damaged: [ReplicaStatus.RefusedVersion] { broken.values.sorted { $0.sequence < $1.sequence } }

  package var status: ReplicaStatus {
    let live = slot.current
    return ReplicaStatus(
      phase: phase, serving: live?.sequence ?? 0, servingDigest: live?.digest,
      staged: library.snapshots.map(\.sequence).filter { broken[$0] == nil },
      refused: library.state.refused,
      routingEpoch: routing.epoch, bytesTotal: stagingCounts.bytesTotal,
      bytesFetched: stagingCounts.bytesFetched, bytesReused: stagingCounts.bytesReused,
      readyMilliseconds: readyMilliseconds, recall: recallThread == nil ? nil : live?.recall.report)
  }

  private var phase: ReplicaStatus.Phase {
    if isStopping || routing.drained != nil { return .draining }
    if slot.current != nil { return .serving }
    return isStaging ? .staging : .empty
  }

  /// The first report of every stream. `address` is where this replica serves, `host:port`.
  package func hello(address: String) -> FollowReport.Hello {
    FollowReport.Hello(
      region: settings.region, replica: settings.replica, address: address, status: status)
  }

  func changed() { announceChange.yield(status) }

  // MARK: Requests

  static let nothingToServe = Fault(
    .unavailable, "this replica has no snapshot to serve yet; try another one")

  /// Returns at once; `completion` is called exactly once, here when the request is refused, else on a ranking thread.
  ///
  /// Faults: `invalidArgument` names the field; `unavailable` with ``RoutingMetadata`` while the region is failed over,
  /// without it while there is nothing to serve; `resourceExhausted` when there is too much to do; `cancelled` and
  /// `deadlineExceeded`. An empty request id is made up, an empty surface is `home`. `source` is who sent it: sources
  /// take turns.
  package nonisolated func rank(
    _ request: RankRequest, source: UInt64 = 0, deadline: Instant = .distantFuture,
    cancellation: Cancellation = Cancellation(),
    completion: @escaping @Sendable (Result<RankReply, Fault>) -> Void
  ) {
    var request = request
    if request.surface.isEmpty { request.surface = "home" }
    if request.requestID.isEmpty {
      request.requestID = String(random(), radix: 36) + String(random(), radix: 36)
    }
    do throws(Fault) {
      try RequestCheck.check(request)
    } catch {
      counters.add(.failed)
      return completion(.failure(error))
    }
    if let drained = routing.drained {
      counters.add(.refusedDrained)
      return completion(.failure(drained))
    }
    guard slot.current != nil else {
      counters.add(.failed)
      return completion(.failure(Self.nothingToServe))
    }
    pool.submit(
      request, source: source, deadline: deadline, cancellation: cancellation, completion: completion)
  }

  /// Returns when the events are on the disk and the next Rank sees them. Throws `invalidArgument` that names the event,
  /// `resourceExhausted` or `unavailable` from the log, and `unavailable` with ``RoutingMetadata`` while the region is
  /// failed over: Rank is answered elsewhere then, where nobody would see these events.
  package nonisolated func record(_ events: [Event]) async throws(Fault) -> RecordReceipt {
    if let drained = routing.drained { throw drained }
    return try await self.events.record(events)
  }

  /// Requests that wait for a ranking thread.
  package nonisolated var waitingCount: Int { pool.waitingCount }

  // MARK: Heavy work

  /// Runs blocking work where it holds nobody up.
  nonisolated func offload<Value: Sendable>(
    _ body: @escaping @Sendable () throws(Refusal) -> Value
  ) async throws(Refusal) -> Value {
    let outcome: Result<Value, Refusal> = await withCheckedContinuation { continuation in
      heavy.async { continuation.resume(returning: Result(catching: body)) }
    }
    return try outcome.get()
  }
}
