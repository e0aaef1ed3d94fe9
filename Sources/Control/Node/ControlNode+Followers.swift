package import Base
internal import Snapshots

// What replicas say. They are not believed beyond their own account of themselves, and that is bounded.

extension ControlNode {
  /// A stream was opened. Its first report must be a hello.
  package func attach(_ link: any FollowerLink) throws(Fault) -> FollowerID {
    guard followers.count < Limits.replicaCountMax else {
      throw Fault(.resourceExhausted, "\(Limits.replicaCountMax) replicas follow already")
    }
    let id = nextID()
    followers[id] = Follower(link: link)
    return id
  }

  /// The stream has ended. What is connected yet goes on without it.
  package func detach(_ id: FollowerID) {
    guard let follower = followers.removeValue(forKey: id), let name = follower.name else { return }
    remember(follower, as: name)
    advance(name.region)
  }

  /// Throws when the report makes no sense or can't be made durable: end the stream with the fault.
  package func receive(_ report: FollowReport, from id: FollowerID) throws(Fault) {
    guard let follower = followers[id] else {
      throw Fault(.aborted, "a newer stream of this replica has taken the place of this one")
    }
    if case .hello(let hello) = report {
      guard follower.name == nil else {
        throw Fault(.invalidArgument, "a stream has one hello, the first report")
      }
      return try welcome(hello, as: id)
    }
    guard let name = follower.name else {
      throw Fault(.invalidArgument, "the first report of a stream must be a hello")
    }
    switch report {
    case .hello: return
    case .changed(let status):
      try check(status)
      followers[id]?.status = status
    case .acknowledged(let nonce, let status):
      try check(status)
      followers[id]?.status = status
      if let pending = followers[id]?.pending.removeValue(forKey: nonce) {
        try acknowledge(pending, status, by: name)
      }
    case .refused(let nonce, let refusal, let status):
      try check(status)
      followers[id]?.status = status
      if let pending = followers[id]?.pending.removeValue(forKey: nonce) {
        try note(refusal, of: pending, by: name)
      }
    }
    advance(name.region)
    pushRouting(to: id)
  }

  private func welcome(_ hello: FollowReport.Hello, as id: FollowerID) throws(Fault) {
    guard configuration.region(named: hello.region) != nil else {
      throw Fault(.notFound, "region `\(hello.region.prefix(64))` is not in fleet.yaml")
    }
    guard (1...Limits.idByteCountMax).contains(hello.replica.utf8.count) else {
      throw Fault(.invalidArgument, "a replica's name has 1 to \(Limits.idByteCountMax) bytes")
    }
    guard FleetConfiguration.isAddress(hello.address) else {
      throw Fault(.invalidArgument, "a replica says its address as host:port")
    }
    try check(hello.status)
    let name = FleetState.ReplicaName(region: hello.region, replica: hello.replica)
    // What it refused while nobody listened counts as much. Only what we published, and only what is the version's
    // own fault: the rest it would look at again.
    var changes: [FleetChange] = []
    for version in hello.status.refused where version.refusal.code.barsVersion {
      guard state.snapshots[version.sequence]?.digest == version.digest,
        state.refusal(of: version.digest, by: name) == nil
      else { continue }
      changes.append(.refused(name, version.bounded))
    }
    if !changes.isEmpty { try commit(changes, by: hello.replica, what: "told of refused versions") }

    let older = followers.filter { $0.value.name == name }.map(\.key)
    // Told so: when it is not a stream that died but another process of the same name, it must not go on serving
    // what nobody updates.
    for stale in older { followers.removeValue(forKey: stale)?.link.finish() }
    departed[name] = nil
    followers[id]?.name = name
    followers[id]?.address = hello.address
    followers[id]?.status = hello.status
    advance(hello.region)
    pushRouting(to: id)
  }

  /// An acknowledgement that its own status contradicts is a refusal: believing it would send the same for ever.
  private func acknowledge(
    _ pending: Follower.Pending, _ status: ReplicaStatus, by name: FleetState.ReplicaName
  ) throws(Fault) {
    switch pending {
    case .stage(let sequence) where !status.staged.contains(sequence):
      let refusal = Refusal(.malformed, at: "report", "acknowledged without having it on its disk")
      try note(refusal, of: pending, by: name)
    case .announce(let sequence) where status.serving != sequence:
      // Unless another announcement has overtaken it.
      guard state.regions[name.region]?.target == sequence else { return }
      try note(Refusal(.malformed, at: "report", "acknowledged without serving it"), of: pending, by: name)
    case .stage, .announce, .routing: return
    }
  }

  private func note(
    _ refusal: Refusal, of pending: Follower.Pending, by name: FleetState.ReplicaName
  ) throws(Fault) {
    let sequence: UInt64
    switch pending {
    case .stage(let value), .announce(let value): sequence = value
    // Not sent again on this stream; a newer table will be.
    case .routing: return
    }
    guard let digest = state.snapshots[sequence]?.digest, var region = state.regions[name.region] else {
      return
    }
    let version = ReplicaStatus.RefusedVersion(sequence: sequence, digest: digest, refusal: refusal).bounded
    var changes: [FleetChange] = [.refused(name, version)]
    if sequence == region.staging || (sequence == region.target && region.staging == 0) {
      region.halted = Rollout.reason(name.replica, sequence, version.refusal)
      changes.append(.region(region))
    }
    try commit(changes, by: name.replica, what: "refused \(sequence): \(version.refusal)")
  }

  private func check(_ status: ReplicaStatus) throws(Fault) {
    guard status.staged.count <= Self.stagedCountMax, status.refused.count <= Limits.refusedVersionCountMax
    else {
      throw Fault(
        .invalidArgument,
        "a status lists at most \(Self.stagedCountMax) staged and \(Limits.refusedVersionCountMax) refused versions"
      )
    }
  }

  /// Far more than the generations that a replica keeps.
  private static var stagedCountMax: Int { 64 }

  private func remember(_ follower: Follower, as name: FleetState.ReplicaName) {
    if departed.count >= Limits.replicaCountMax, let any = departed.keys.first { departed[any] = nil }
    departed[name] = FleetStatus.Replica(
      name: name.replica, address: follower.address, isConnected: false, status: follower.status)
  }
}

extension ReplicaStatus.RefusedVersion {
  /// Texts from a peer go into the registry and into `status`: not more than an operator reads.
  var bounded: Self {
    var version = self
    version.refusal.place = String(refusal.place.prefix(256))
    version.refusal.message = String(refusal.message.prefix(1024))
    return version
  }
}
