import Base
import MarqueeClient
import Synchronization
import Wire

/// Replicas of several regions in this process, over plain text on loopback, that do as a test tells them.
final class FakeFleet: Sendable {
  let replicas: [FakeReplica]

  /// Regions by name with their number of replicas; each has all others as fallbacks, in the order given.
  init(_ regions: [(name: String, count: Int)], tls: TLSConfiguration? = nil) async throws {
    var replicas: [FakeReplica] = []
    for region in regions {
      for index in 0..<region.count {
        replicas.append(try await FakeReplica(region: region.name, name: "\(region.name)-\(index)", tls: tls))
      }
    }
    self.replicas = replicas
    tell(table(epoch: 1))
  }

  func region(_ name: String) -> [FakeReplica] { replicas.filter { $0.region == name } }

  func table(epoch: UInt64, failedOver: [String: String] = [:]) -> RoutingTable {
    var names: [String] = []
    for replica in replicas where !names.contains(replica.region) { names.append(replica.region) }
    return RoutingTable(
      epoch: epoch,
      regions: names.map { name in
        RoutingTable.Region(
          name: name, failedOverTo: failedOver[name] ?? "", replicas: region(name).map(\.address),
          fallbacks: names.filter { $0 != name })
      })
  }

  /// All replicas know this table from now on, and their watchers hear of it.
  func tell(_ table: RoutingTable) {
    for replica in replicas { replica.tell(table) }
  }

  func configuration(home: String) -> ClientConfiguration {
    var configuration = ClientConfiguration(seeds: replicas.map(\.address), homeRegion: home)
    // Long enough for a busy machine: a test that needs hanging tries to be given up soon says so itself.
    configuration.rankTimeout = .seconds(10)
    configuration.recordTimeout = .seconds(20)
    configuration.routingInterval = .milliseconds(100)
    configuration.restMinimum = .milliseconds(20)
    configuration.restMaximum = .milliseconds(100)
    return configuration
  }

  func stop() async {
    for replica in replicas { await replica.stop() }
  }
}

/// One replica that ranks, records and tells the routing, or doesn't.
final class FakeReplica: Sendable {
  enum Behaviour: Sendable {
    case answers
    /// Takes calls and never answers, not even about the routing: as a stopped process does.
    case hangs
    case fails(Fault)
    /// Fails this many calls, then answers.
    case failsFirst(Int, Fault)
  }

  struct Record: Sendable {
    var behaviour = Behaviour.answers
    var table = RoutingTable(epoch: 0, regions: [])
    var watchers: [AsyncStream<RoutingTable>.Continuation] = []
    var requestIDs: [String] = []
    var profiles: [String] = []
    var batches: [[Event]] = []
    var recorded: Set<String> = []
  }

  let region: String
  let name: String
  let address: String
  private let server: Server
  private let state: StateBox

  init(region: String, name: String, tls: TLSConfiguration? = nil) async throws {
    let state = StateBox()
    self.region = region
    self.name = name
    self.state = state
    server = Server(
      configuration: ServerConfiguration(host: "127.0.0.1", port: 0, tls: tls, anonymousRoles: [.edgeClient]),
      methods: Self.methods(state, region: region, name: name), time: SystemTime())
    let (host, port) = try await server.start()
    address = "\(host):\(port)"
  }

  var seen: Record { state.mutex.withLock { $0 } }
  func behave(_ behaviour: Behaviour) { state.mutex.withLock { $0.behaviour = behaviour } }

  /// What a drained replica says.
  func drain(to replicas: [FakeReplica], epoch: UInt64) {
    behave(
      .fails(
        Fault(
          .unavailable, "the region is drained",
          metadata: [
            RoutingMetadata.epoch: "\(epoch)", RoutingMetadata.region: replicas.first?.region ?? "",
            RoutingMetadata.replicas: replicas.map(\.address).joined(separator: ","),
          ])))
  }

  func tell(_ table: RoutingTable) {
    let watchers = state.mutex.withLock { state in
      state.table = table
      return state.watchers
    }
    for watcher in watchers { watcher.yield(table) }
  }

  /// Knows a table without telling its watchers.
  func know(_ table: RoutingTable) { state.mutex.withLock { $0.table = table } }

  func stop() async {
    for watcher in seen.watchers { watcher.finish() }
    await server.drain()
  }

  final class StateBox: Sendable { let mutex = Mutex(Record()) }

  private static func methods(_ state: StateBox, region: String, name: String) -> [RPCMethod] {
    let ranking = RankingService.methods { request, _, done in
      let verdict = state.mutex.withLock { state in
        state.requestIDs.append(request.requestID)
        state.profiles.append(request.profileID)
        return Self.verdict(&state)
      }
      switch verdict {
      case .hang: return
      case .fail(let fault): done(.failure(fault))
      case .answer(let epoch):
        done(
          .success(
            RankReply(
              requestID: request.requestID,
              rows: [
                .init(id: "new", name: "New", copying: [(id: "t", name: "T", score: 1, source: .new)])
              ],
              snapshot: SnapshotName(
                sequence: 1, digest: "d", space: "s", model: "m", features: "f", policy: "p"),
              rungs: [.noHistory], region: region, replica: name, routingEpoch: epoch,
              stages: request.debug ? [.init(stage: .ranking, microseconds: 7)] : [])))
      }
    }
    let events = EventsService.methods { events, _ in
      let verdict = state.mutex.withLock { state in
        state.batches.append(events)
        return Self.verdict(&state)
      }
      switch verdict {
      case .hang:
        try await Task.sleep(for: .seconds(60))
        throw Fault(.internalError, "hung")
      case .fail(let fault): throw fault
      case .answer:
        return state.mutex.withLock { state in
          let known = events.filter { !state.recorded.insert($0.id).inserted }.count
          return RecordReceipt(acceptedCount: events.count, duplicateCount: known, position: 1)
        }
      }
    }
    let routing = RoutingService.methods(
      get: {
        if case .hangs = state.mutex.withLock({ $0.behaviour }) { try await Task.sleep(for: .seconds(60)) }
        return state.mutex.withLock { $0.table }
      },
      watch: {
        AsyncStream { continuation in
          let table = state.mutex.withLock { state in
            state.watchers.append(continuation)
            return state.table
          }
          continuation.yield(table)
        }
      })
    return ranking + events + routing
  }

  private enum Verdict {
    case hang
    case fail(Fault)
    case answer(epoch: UInt64)
  }

  private static func verdict(_ state: inout Record) -> Verdict {
    switch state.behaviour {
    case .answers: return .answer(epoch: state.table.epoch)
    case .hangs: return .hang
    case .fails(let fault): return .fail(fault)
    case .failsFirst(let count, let fault):
      state.behaviour = count > 1 ? .failsFirst(count - 1, fault) : .answers
      return .fail(fault)
    }
  }
}
