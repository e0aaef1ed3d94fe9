internal import Base
internal import Wire

/// Asks a Marquee fleet for rows, and tells it what people did.
///
/// It learns the routing from its seeds and keeps it fresh; calls the replicas of its home region, a profile always
/// the same one while it is well; tries again within a budget when a replica fails; and moves to another region when
/// its own is failed over or can't be reached, and back when that is over. Made once and shared; close it at the end.
public final class MarqueeClient: Sendable {
  private let configuration: ClientConfiguration
  private let fleet: Fleet
  private let watch: RoutingWatch
  private let loops: WireLoops

  /// Starts to look for the routing; calls may be made at once. Throws `invalidArgument` when a seed is not
  /// `host:port`, and `failed` or `invalidArgument` when a TLS file can't be used.
  public init(_ configuration: ClientConfiguration) throws(MarqueeError) {
    self.configuration = configuration
    loops = WireLoops()
    do throws(Fault) { fleet = try Fleet(configuration, time: SystemTime(), loops: loops) } catch {
      throw MarqueeError(error)
    }
    watch = RoutingWatch(fleet)
    watch.start()
  }

  deinit { watch.cancel() }

  /// Rows for a profile. However often it is tried, it is one request: its id is made here, once.
  public func rank(_ query: RankQuery, timeout: Duration? = nil) async throws(MarqueeError) -> RankResult {
    let request = try query.request(id: Self.newRequestID())
    let answer = try await call(profile: query.profile, timeout: timeout ?? configuration.rankTimeout) {
      (connection, deadline) async throws(CallFailure) -> RankReply in
      try await RankingStub(connection).rank(request, deadline: deadline)
    }
    if answer.reply.routingEpoch > fleet.epoch { watch.refresh(from: answer.source) }
    return RankResult(answer.reply, tryCount: answer.tryCount)
  }

  /// Returns when all events are durable. Any number: they are sent in batches, those of a profile to the replica that
  /// ranks for it. When it throws, some may be recorded; doing it again with the same ids is harmless.
  ///
  /// `timeout` is for each batch of up to 1,000 events.
  public func record(
    _ events: [ViewerEvent], timeout: Duration? = nil
  ) async throws(MarqueeError) -> RecordResult {
    let timeout = timeout ?? configuration.recordTimeout
    // Batches are made by replica, so the replicas have to be known.
    let deadline = fleet.time.instant.advanced(byNanoseconds: timeout.nanoseconds)
    if let error = await fleet.waitForRouting(until: deadline) { throw error }
    var accepted = 0
    var duplicates = 0
    for (profile, batch) in batches(events) {
      let answer = try await call(profile: profile, timeout: timeout) {
        (connection, deadline) async throws(CallFailure) -> RecordReceipt in
        try await EventsStub(connection).record(batch, deadline: deadline)
      }
      accepted += answer.reply.acceptedCount
      duplicates += answer.reply.duplicateCount
    }
    return RecordResult(accepted: accepted, duplicates: duplicates)
  }

  /// The epoch of the newest routing that this client knows; 0 before the first.
  public var routingEpoch: UInt64 { fleet.epoch }

  /// Ends the background work and closes the connections. Calls that are under way fail.
  public func close() async {
    await watch.close()
    await fleet.close()
    await loops.shutDown()
  }

  private func call<Reply: Sendable>(
    profile: String, timeout: Duration,
    _ perform: @escaping @Sendable (ClientConnection, Instant) async throws(CallFailure) -> Reply
  ) async throws(MarqueeError) -> Attempts<Reply>.Answer {
    let attempts = Attempts(
      fleet: fleet, watch: watch, profile: stableHash(profile.utf8),
      timeout: timeout, perform: perform)
    return try await attempts.run().get()
  }

  /// Events of one replica together, in their order, as many as a message may have. The replica is that of the batch's
  /// first profile, which is that of all of them as long as the routing stays.
  private func batches(_ events: [ViewerEvent]) -> [(profile: String, events: [Event])] {
    var batches: [(profile: String, events: [Event])] = []
    var open: [String: Int] = [:]
    for event in events {
      let replica = fleet.choose(profile: stableHash(event.profile.utf8), tried: [])?.address ?? ""
      if let index = open[replica], batches[index].events.count < Limits.eventsPerMessageMax {
        batches[index].events.append(event.event)
      } else {
        open[replica] = batches.count
        batches.append((event.profile, [event.event]))
      }
    }
    return batches
  }

  private static func newRequestID() -> String {
    var random = SystemRandomNumberGenerator()
    var bytes: [UInt8] = []
    bytes.append(littleEndian: random.next())
    bytes.append(littleEndian: random.next())
    return bytes.hex
  }
}
