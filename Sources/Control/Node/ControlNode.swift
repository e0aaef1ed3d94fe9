package import Base
package import Snapshots

/// Owns the fleet's state and the streams of its followers: publishes, rolls out, rolls back, pins and routes.
///
/// Everything that an operator was told is in the registry before the answer leaves. Memory holds a copy of the
/// registry and what the replicas last said; a restart reads the first and is told the second.
package actor ControlNode {
  package nonisolated let configuration: FleetConfiguration
  /// What was published, for the chunks that replicas fetch.
  package nonisolated let library: SnapshotLibrary
  package nonisolated let registry: Registry
  let time: any TimeSource

  var state: FleetState
  var followers: [FollowerID: Follower] = [:]
  /// The last that was heard of replicas that are not connected.
  var departed: [FleetState.ReplicaName: FleetStatus.Replica] = [:]
  /// Why a region's next step could not be made durable; empty when it could. Tried again with the next report.
  var troubles: [String: String] = [:]
  /// The digest of the snapshot whose chunks are being received.
  var publishing: Digest?
  private var watchers: [Int: AsyncStream<RoutingTable>.Continuation] = [:]
  /// Manifests of what is being rolled out, so that a thousand replicas share one copy.
  private var manifests: [UInt64: SignedBytes] = [:]
  private var lastNonce: UInt64 = 0
  private var lastNumber: UInt64 = 0

  package static let watcherCountMax = 4096

  /// Opens `DIRECTORY/registry.sqlite` and `DIRECTORY/snapshots`, makes them if they aren't there, and brings the
  /// regions and the routing to what the configuration says; failovers that are in force stay.
  package init(
    directory: String, configuration: FleetConfiguration, disk: any Disk, time: any TimeSource
  ) throws(Fault) {
    self.configuration = configuration
    self.time = time
    do { try disk.createDirectory(directory) } catch { throw Fault(disk: error) }
    registry = try Registry(path: "\(directory)/registry.sqlite")
    do {
      library = try SnapshotLibrary(
        directory: "\(directory)/snapshots", disk: disk, trusted: configuration.trustedKeys)
    } catch { throw Fault(refusal: error) }
    var state = try registry.state()
    let changes = Self.changes(from: state, to: configuration)
    if !changes.isEmpty {
      try registry.commit(changes, by: "control", what: "took fleet.yaml", at: time.now)
      state.apply(changes)
    }
    self.state = state
  }

  private static func changes(from state: FleetState, to configuration: FleetConfiguration) -> [FleetChange] {
    var changes: [FleetChange] = []
    for region in configuration.regions where state.regions[region.name] == nil {
      changes.append(.region(FleetState.Region(name: region.name)))
    }
    var table = configuration.routing(epoch: state.routing.epoch)
    for index in table.regions.indices {
      let old = state.routing.region(named: table.regions[index].name)
      // A failover to a region that is no longer in the fleet would lead clients nowhere.
      if let to = old?.failedOverTo, !to.isEmpty, table.region(named: to) != nil {
        table.regions[index].failedOverTo = to
      }
    }
    if table != state.routing {
      table.epoch += 1
      changes.append(.routing(table))
    }
    return changes
  }

  /// Makes the changes durable, then true. Throws without changing anything.
  func commit(_ changes: [FleetChange], by who: String, what: String) throws(Fault) {
    try registry.commit(changes, by: who, what: what, at: time.now)
    state.apply(changes)
  }

  /// The regions that an operator means: all when the list is empty. They are those of `fleet.yaml`.
  func regions(named names: [String]) throws(Fault) -> [FleetState.Region] {
    var regions: [FleetState.Region] = []
    for name in names.isEmpty ? configuration.regions.map(\.name) : names {
      guard configuration.region(named: name) != nil, let region = state.regions[name] else {
        throw Fault(
          .notFound,
          "no region `\(name.prefix(64))`; known are \(configuration.regions.map(\.name).joined(separator: ", "))"
        )
      }
      if !regions.contains(where: { $0.name == name }) { regions.append(region) }
    }
    return regions
  }

  // MARK: Rollout

  /// Takes a region as far as it can go now.
  func advance(_ name: String) {
    // Each round that repeats has made a durable change that can't repeat: a target reached, or a halt.
    for _ in 0..<3 {
      guard let region = state.regions[name], configuration.region(named: name) != nil else { return }
      let rollout = Rollout(region: region, state: state, followers: followers(of: name))
      var isChanged = false
      for step in rollout.steps {
        do throws(Fault) {
          if try carryOut(step, of: region) { isChanged = true }
          troubles[name] = nil
        } catch {
          troubles[name] = error.message
          return
        }
      }
      if !isChanged { return }
    }
  }

  /// Whether the region's state is another one now.
  private func carryOut(_ step: Rollout.Step, of region: FleetState.Region) throws(Fault) -> Bool {
    var region = region
    switch step {
    case .complete(let sequence):
      region.target = sequence
      region.staging = 0
      region.order = nil
      try commit([.region(region)], by: "control", what: "announce \(sequence) to \(region.name)")
      return true
    case .halt(let reason):
      region.halted = reason
      try commit([.region(region)], by: "control", what: "halt \(region.name): \(reason)")
      return true
    case .stage(let id, let sequence):
      guard let manifest = try manifest(of: sequence) else { return false }
      let peers = followers(of: region.name).filter { $0.id != id && !$0.follower.status.staged.isEmpty }
      send(
        .stage(manifest: manifest, peers: peers.prefix(16).map(\.follower.address)),
        pending: .stage(sequence), to: id
      )
    case .announce(let id, let sequence):
      guard let digest = state.snapshots[sequence]?.digest, let follower = followers[id] else { return false }
      let order = try order(for: follower, to: region)
      send(
        .announce(sequence: sequence, digest: digest, rollback: order), pending: .announce(sequence), to: id)
    }
    return false
  }

  /// The signed order that takes a replica to its region's target, when it needs one: for a step back, and to serve
  /// again what it holds as withdrawn.
  private func order(for follower: Follower, to region: FleetState.Region) throws(Fault) -> SignedBytes? {
    let serving = follower.status.serving
    guard let digest = region.order, serving != 0, let signed = try registry.order(digest) else { return nil }
    if serving > region.target { return signed }
    // It was signed and read when it was taken; a registry that holds another thing now has no order for anybody.
    return (try? RollbackOrder(bytes: signed.payload))?.leadsForward == true ? signed : nil
  }

  private func manifest(of sequence: UInt64) throws(Fault) -> SignedBytes? {
    if let known = manifests[sequence] { return known }
    let needed = Set(state.regions.values.flatMap { [$0.target, $0.staging] })
    manifests = manifests.filter { needed.contains($0.key) }
    let manifest = try registry.manifest(of: sequence)
    manifests[sequence] = manifest
    return manifest
  }

  func send(_ body: Directive.Body, pending: Follower.Pending, to id: FollowerID) {
    lastNonce += 1
    followers[id]?.pending[lastNonce] = pending
    followers[id]?.link.send(Directive(nonce: lastNonce, body: body))
  }

  /// In the order in which they came.
  func followers(of region: String) -> [(id: FollowerID, follower: Follower)] {
    followers.filter { $0.value.name?.region == region }
      .map { (id: $0.key, follower: $0.value) }
      .sorted { $0.id.number < $1.id.number }
  }

  func nextID() -> FollowerID {
    lastNumber += 1
    return FollowerID(number: lastNumber)
  }

  // MARK: Routing

  package var routing: RoutingTable { state.routing }

  /// The table now, and each one after it; a slow watcher sees the newest only.
  package func watchRouting() throws(Fault) -> AsyncStream<RoutingTable> {
    guard watchers.count < Self.watcherCountMax else {
      throw Fault(.resourceExhausted, "\(Self.watcherCountMax) watch the routing already; ask again instead")
    }
    let (stream, continuation) = AsyncStream.makeStream(
      of: RoutingTable.self, bufferingPolicy: .bufferingNewest(1))
    let number = Int(nextID().number)
    watchers[number] = continuation
    continuation.onTermination = { [weak self] _ in
      Task { await self?.forgetWatcher(number) }
    }
    continuation.yield(state.routing)
    return stream
  }

  private func forgetWatcher(_ number: Int) { watchers[number] = nil }

  /// Tells everybody the table that has just become durable.
  func pushRouting() {
    for continuation in watchers.values { continuation.yield(state.routing) }
    for id in followers.keys.sorted(by: { $0.number < $1.number }) { pushRouting(to: id) }
  }

  func pushRouting(to id: FollowerID) {
    guard let follower = followers[id], follower.name != nil else { return }
    let epoch = state.routing.epoch
    // One at a time: the answer to the older one brings the newer.
    let isAsked = follower.pending.values.contains {
      if case .routing = $0 { true } else { false }
    }
    guard !isAsked, max(follower.status.routingEpoch, follower.routingSent) < epoch else { return }
    followers[id]?.routingSent = epoch
    send(.routing(state.routing), pending: .routing(epoch), to: id)
  }

  /// Ends all watches and lets go of the registry's file. Calls after it fail.
  package func close() throws(Fault) {
    for continuation in watchers.values { continuation.finish() }
    watchers = [:]
    try registry.close()
  }
}
