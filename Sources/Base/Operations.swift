// What operators ask of the control node, and what it answers.

/// A snapshot for some regions.
package struct PublishOrder: Sendable, Equatable {
  package var manifest: SignedBytes
  /// Empty is every region.
  package var regions: [String]

  package init(manifest: SignedBytes, regions: [String]) {
    self.manifest = manifest
    self.regions = regions
  }
}

/// What the control node says when a snapshot is durable and verified.
package struct PublishReceipt: Sendable, Equatable {
  package var sequence: UInt64
  package var digest: Digest
  /// Bytes of chunks that were sent now, and of the whole snapshot.
  package var bytesReceived: UInt64
  package var bytesTotal: UInt64

  package init(sequence: UInt64, digest: Digest, bytesReceived: UInt64, bytesTotal: UInt64) {
    self.sequence = sequence
    self.digest = digest
    self.bytesReceived = bytesReceived
    self.bytesTotal = bytesTotal
  }
}

/// Back to an older snapshot in one region or all, or forward to one that was withdrawn. The payload of a signed order;
/// see `RollbackOrder+Bytes.swift`.
package struct RollbackOrder: Sendable, Equatable {
  /// Empty is every region.
  package var region: String
  package var fromSequence: UInt64
  package var toSequence: UInt64
  package var toDigest: Digest
  package var issued: Timestamp
  /// Refused after this, so that an order caught on the wire is worth nothing later.
  package var expires: Timestamp

  package init(
    region: String, fromSequence: UInt64, toSequence: UInt64, toDigest: Digest, issued: Timestamp,
    expires: Timestamp
  ) {
    self.region = region
    self.fromSequence = fromSequence
    self.toSequence = toSequence
    self.toDigest = toDigest
    self.issued = issued
    self.expires = expires
  }

  /// Whether it brings a withdrawn snapshot back.
  package var leadsForward: Bool { toSequence > fromSequence }
}

/// A failover (`to` names a region) or a failback (`to` is empty).
package struct RoutingOrder: Sendable, Equatable {
  package var from: String
  package var to: String
  /// The epoch that the operator saw. Another one now means that somebody was faster: ABORTED.
  package var expectedEpoch: UInt64

  package init(from: String, to: String, expectedEpoch: UInt64) {
    self.from = from
    self.to = to
    self.expectedEpoch = expectedEpoch
  }
}

/// One published snapshot in the registry.
package struct SnapshotSummary: Sendable, Equatable {
  package var sequence: UInt64
  package var digest: Digest
  package var parent: UInt64
  package var created: Timestamp
  package var expires: Timestamp
  package var titleCount: UInt64
  package var byteCount: UInt64
  /// Rolled back from: never served again by itself.
  package var isWithdrawn: Bool

  package init(
    sequence: UInt64, digest: Digest, parent: UInt64, created: Timestamp, expires: Timestamp,
    titleCount: UInt64,
    byteCount: UInt64, isWithdrawn: Bool
  ) {
    self.sequence = sequence
    self.digest = digest
    self.parent = parent
    self.created = created
    self.expires = expires
    self.titleCount = titleCount
    self.byteCount = byteCount
    self.isWithdrawn = isWithdrawn
  }
}

/// The fleet as the control node sees it.
package struct FleetStatus: Sendable, Equatable {
  package struct Region: Sendable, Equatable {
    package var name: String
    /// The sequence it should serve; 0 is none yet.
    package var target: UInt64
    /// The sequence being staged; 0 is none.
    package var staging: UInt64
    /// 0 is not pinned.
    package var pinned: UInt64
    /// Why the last rollout stopped; empty when it did not.
    package var halted: String
    package var replicas: [Replica]

    package init(
      name: String, target: UInt64, staging: UInt64, pinned: UInt64, halted: String, replicas: [Replica]
    ) {
      self.name = name
      self.target = target
      self.staging = staging
      self.pinned = pinned
      self.halted = halted
      self.replicas = replicas
    }
  }

  package struct Replica: Sendable, Equatable {
    package var name: String
    package var address: String
    package var isConnected: Bool
    package var status: ReplicaStatus

    package init(name: String, address: String, isConnected: Bool, status: ReplicaStatus) {
      self.name = name
      self.address = address
      self.isConnected = isConnected
      self.status = status
    }
  }

  package var routing: RoutingTable
  package var regions: [Region]
  package var snapshots: [SnapshotSummary]

  package init(routing: RoutingTable, regions: [Region], snapshots: [SnapshotSummary]) {
    self.routing = routing
    self.regions = regions
    self.snapshots = snapshots
  }
}
