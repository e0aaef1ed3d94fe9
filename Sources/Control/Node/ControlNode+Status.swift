package import Base

extension ControlNode {
  package func status() -> FleetStatus {
    FleetStatus(
      routing: state.routing, regions: configuration.regions.compactMap(status(of:)),
      snapshots: state.snapshots.values.sorted { $0.sequence > $1.sequence })
  }

  private func status(of configured: FleetConfiguration.Region) -> FleetStatus.Region? {
    guard let region = state.regions[configured.name] else { return nil }
    var replicas = followers(of: region.name).compactMap { _, follower in
      follower.name.map {
        FleetStatus.Replica(
          name: $0.replica, address: follower.address, isConnected: true, status: follower.status)
      }
    }
    for (name, replica) in departed where name.region == region.name { replicas.append(replica) }
    for index in replicas.indices {
      let name = FleetState.ReplicaName(region: region.name, replica: replicas[index].name)
      replicas[index].status.refused = merged(replicas[index].status.refused, state.refused[name] ?? [])
    }
    // An address of fleet.yaml that nobody has said hello from has no name yet.
    for address in configured.replicas where !replicas.contains(where: { $0.address == address }) {
      replicas.append(.init(name: "", address: address, isConnected: false, status: ReplicaStatus()))
    }
    let halted = region.halted.isEmpty ? troubles[region.name] ?? "" : region.halted
    return FleetStatus.Region(
      name: region.name, target: region.target, staging: region.staging, pinned: region.pinned,
      halted: halted,
      replicas: replicas.sorted { ($0.name, $0.address) < ($1.name, $1.address) })
  }

  /// The registry's memory is the longer one.
  private func merged(
    _ said: [ReplicaStatus.RefusedVersion], _ known: [ReplicaStatus.RefusedVersion]
  ) -> [ReplicaStatus.RefusedVersion] {
    let digests = Set(known.map(\.digest))
    return (known + said.filter { !digests.contains($0.digest) }).sorted { $0.sequence < $1.sequence }
  }
}
