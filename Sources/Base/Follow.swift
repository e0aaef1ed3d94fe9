/// What the control node tells a replica. Sent on change only; each is answered once, by its nonce.
package struct Directive: Sendable, Equatable {
  package enum Body: Sendable, Equatable {
    /// Fetch, verify and open beside the live one; answer when it is warm. `peers` are replicas of the same region
    /// (`host:port`) that may have chunks; the control node has them all.
    case stage(manifest: SignedBytes, peers: [String])
    /// Serve this staged sequence now. With a rollback order when it is lower than what was served.
    case announce(sequence: UInt64, digest: Digest, rollback: SignedBytes?)
    case routing(RoutingTable)
  }

  package var nonce: UInt64
  package var body: Body

  package init(nonce: UInt64, body: Body) {
    self.nonce = nonce
    self.body = body
  }
}

/// What a replica tells the control node.
package enum FollowReport: Sendable, Equatable {
  /// First on every stream: who it is and what it has, so that nothing is sent again.
  case hello(Hello)
  /// The directive was done.
  case acknowledged(nonce: UInt64, status: ReplicaStatus)
  /// The directive was refused: not sent again. `status` names the version still in use.
  case refused(nonce: UInt64, refusal: Refusal, status: ReplicaStatus)
  /// Changed by itself: progress of staging, a start, a drain.
  case changed(ReplicaStatus)

  package struct Hello: Sendable, Equatable {
    package var region: String
    package var replica: String
    /// `host:port` where it serves.
    package var address: String
    package var status: ReplicaStatus

    package init(region: String, replica: String, address: String, status: ReplicaStatus) {
      self.region = region
      self.replica = replica
      self.address = address
      self.status = status
    }
  }
}

/// A replica's own account of itself, as `status` shows it.
package struct ReplicaStatus: Sendable, Equatable {
  package var phase: Phase
  /// The sequence that is served; 0 is none.
  package var serving: UInt64
  package var servingDigest: Digest?
  /// Sequences that are on the disk, verified and openable.
  package var staged: [UInt64]
  package var refused: [RefusedVersion]
  package var routingEpoch: UInt64
  /// Bytes of the last staging: the whole, those fetched, and those that were on the disk already.
  package var bytesTotal: UInt64
  package var bytesFetched: UInt64
  package var bytesReused: UInt64
  /// From process start to ready to rank, from its own disk; 0 while it isn't.
  package var readyMilliseconds: UInt32
  /// Of the searches of what is served; `nil` where none is sampled.
  package var recall: RetrievalRecall?

  package init(
    phase: Phase = .empty, serving: UInt64 = 0, servingDigest: Digest? = nil, staged: [UInt64] = [],
    refused: [RefusedVersion] = [], routingEpoch: UInt64 = 0, bytesTotal: UInt64 = 0,
    bytesFetched: UInt64 = 0,
    bytesReused: UInt64 = 0, readyMilliseconds: UInt32 = 0, recall: RetrievalRecall? = nil
  ) {
    self.phase = phase
    self.serving = serving
    self.servingDigest = servingDigest
    self.staged = staged
    self.refused = refused
    self.routingEpoch = routingEpoch
    self.bytesTotal = bytesTotal
    self.bytesFetched = bytesFetched
    self.bytesReused = bytesReused
    self.readyMilliseconds = readyMilliseconds
    self.recall = recall
  }

  package enum Phase: Int, Sendable, CaseIterable {
    /// Has nothing to serve.
    case empty = 1
    case staging = 2
    case serving = 3
    /// Its region is failed over, or it is stopping.
    case draining = 4
  }

  package struct RefusedVersion: Sendable, Equatable {
    package var sequence: UInt64
    package var digest: Digest
    package var refusal: Refusal

    package init(sequence: UInt64, digest: Digest, refusal: Refusal) {
      self.sequence = sequence
      self.digest = digest
      self.refusal = refusal
    }
  }
}
