package import Base

/// Everything that the control node must never forget, as one value: what the registry's file holds.
///
/// It changes only by ``FleetChange``s, which the registry makes durable first.
package struct FleetState: Sendable, Equatable {
  package struct Region: Sendable, Equatable {
    package var name: String
    /// The sequence that was announced to the region and that it should serve; 0 is none yet.
    package var target: UInt64 = 0
    /// The sequence on its way: staged at every connected replica before it becomes the target. 0 is none.
    package var staging: UInt64 = 0
    /// 0 is not pinned. A pinned region takes no newer sequence by itself.
    package var pinned: UInt64 = 0
    /// Why the rollout stopped; empty when it did not.
    package var halted = ""
    /// The digest of the signed order that made the target, when it was reached by a rollback or a restore.
    package var order: Digest?

    package init(name: String) { self.name = name }
  }

  package struct ReplicaName: Hashable, Sendable {
    package var region: String
    package var replica: String

    package init(region: String, replica: String) {
      self.region = region
      self.replica = replica
    }
  }

  /// Snapshots whose manifest and bytes are kept. The oldest that no region needs is forgotten beyond it.
  package static let snapshotCountMax = 64

  package var snapshots: [UInt64: SnapshotSummary] = [:]
  /// The highest sequence ever published. It stays when snapshots are forgotten.
  package var newestSequence: UInt64 = 0
  /// For each region the sequences that were published to it, and whether each was withdrawn there.
  package var offers: [String: [UInt64: Bool]] = [:]
  package var regions: [String: Region] = [:]
  package var refused: [ReplicaName: [ReplicaStatus.RefusedVersion]] = [:]
  package var routing = RoutingTable(epoch: 0, regions: [])
  /// Digests of the payloads of the rollback orders that were carried out.
  package var orders: Set<Digest> = []

  package init() {}

  /// The newest sequence that may be served in a region: published to it, not withdrawn, refused by none of its
  /// replicas; 0 if there is none.
  func newestEligible(in region: String) -> UInt64 {
    (offers[region] ?? [:]).filter { sequence, isWithdrawn in
      guard !isWithdrawn, let digest = snapshots[sequence]?.digest else { return false }
      return !refused.contains { name, versions in
        name.region == region && versions.contains { $0.digest == digest }
      }
    }.keys.max() ?? 0
  }

  func refusal(of digest: Digest, by name: ReplicaName) -> Refusal? {
    refused[name]?.first { $0.digest == digest }?.refusal
  }

  /// The oldest sequences beyond the count to keep that no region serves, stages or is pinned to.
  var forgettable: [UInt64] {
    var needed: Set<UInt64> = []
    for region in regions.values { needed.formUnion([region.target, region.staging, region.pinned]) }
    let surplus = snapshots.count - Self.snapshotCountMax
    guard surplus > 0 else { return [] }
    return Array(snapshots.keys.sorted().filter { !needed.contains($0) }.prefix(surplus))
  }
}

/// One change of the fleet's state. A verb is a list of them, carried out in one transaction or not at all.
package enum FleetChange: Sendable {
  case published(SnapshotSummary, SignedBytes)
  /// The snapshot is for this region, now or when a pin is lifted.
  case offered(region: String, sequence: UInt64)
  case region(FleetState.Region)
  /// Every sequence above this one that was published to the region is never served there by itself again.
  case withdrawn(region: String, above: UInt64)
  /// An operator's order brings this withdrawn one back.
  case restored(region: String, sequence: UInt64)
  case refused(FleetState.ReplicaName, ReplicaStatus.RefusedVersion)
  case routing(RoutingTable)
  case ordered(Digest, SignedBytes, RollbackOrder)
  /// The manifest, the offers and the refusals of an old snapshot go; its number is never used again.
  case forgotten(UInt64)
}

extension FleetState {
  package mutating func apply(_ changes: [FleetChange]) {
    for change in changes { apply(change) }
  }

  private mutating func apply(_ change: FleetChange) {
    switch change {
    case .published(let summary, _):
      snapshots[summary.sequence] = summary
      newestSequence = max(newestSequence, summary.sequence)
    case .offered(let region, let sequence):
      offers[region, default: [:]][sequence] = offers[region]?[sequence] ?? false
      markWithdrawn()
    case .region(let region):
      regions[region.name] = region
    case .withdrawn(let region, let floor):
      for sequence in offers[region]?.keys.filter({ $0 > floor }) ?? [] { offers[region]?[sequence] = true }
      markWithdrawn()
    case .restored(let region, let sequence):
      if offers[region]?[sequence] != nil { offers[region]?[sequence] = false }
      markWithdrawn()
    case .refused(let name, let version):
      guard refusal(of: version.digest, by: name) == nil else { return }
      refused[name, default: []].append(version)
    case .routing(let table):
      routing = table
    case .ordered(let digest, _, _):
      orders.insert(digest)
    case .forgotten(let sequence):
      snapshots[sequence] = nil
      for region in offers.keys { offers[region]?[sequence] = nil }
      for name in refused.keys {
        refused[name]?.removeAll { $0.sequence == sequence }
        if refused[name]?.isEmpty == true { refused[name] = nil }
      }
    }
  }

  /// A snapshot counts as withdrawn for the fleet when it is in every region that it was published to.
  mutating func markWithdrawn() {
    for sequence in snapshots.keys {
      let marks = offers.values.compactMap { $0[sequence] }
      snapshots[sequence]?.isWithdrawn = !marks.isEmpty && marks.allSatisfy { $0 }
    }
  }
}
