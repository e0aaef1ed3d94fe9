package import Base
internal import Synchronization

// What a library remembers: every change is on the disk before it counts.

extension SnapshotLibrary {
  /// Makes a snapshot the one that is served, now and after a restart. It must be on the disk with this digest, not
  /// withdrawn, and not older than what is served: going back takes a rollback order, which sets it by itself.
  package func setCurrent(sequence: UInt64, digest: Digest) throws(Refusal) {
    try requireWritable()
    try contents.withLock { (contents) throws(Refusal) in
      guard let version = contents.snapshots[sequence] else {
        throw Refusal(.truncated, at: "sequence \(sequence)", "is not on this disk: stage it first")
      }
      guard version.digest == digest else {
        throw Refusal(
          .sequenceConflict, at: "sequence \(sequence)",
          "is \(version.digest.short) on this disk, announced was \(digest.short)")
      }
      if let current = contents.state.current, sequence < current.sequence {
        throw Refusal(
          .olderSequence, at: "sequence \(sequence)",
          "is older than \(current.sequence), which is served: roll back by a signed order")
      }
      try contents.state.admitUnbarred(sequence: sequence, digest: digest)
      var state = contents.state
      state.current = .init(sequence: sequence, digest: digest)
      guard state != contents.savedState else { return }
      try save(state, &contents)
    }
  }

  /// Remembers that a version was refused and removes what is on the disk of it. `envelope` is what was refused, read or
  /// not. Refusals for which the version itself is to blame bar its digest for good; see `Refusal.Code.barsVersion`.
  ///
  /// Don't record what only this disk did to a snapshot that was served already: stage it again instead.
  package func recordRefused(_ envelope: SignedBytes, _ refusal: Refusal) throws(Refusal) {
    try requireWritable()
    let version = ReplicaStatus.RefusedVersion(
      sequence: Manifest.claimedSequence(envelope.payload), digest: envelope.digest, refusal: refusal)
    try contents.withLock { (contents) throws(Refusal) in
      var state = contents.state
      state.remember(version)
      if state.refusedVersion(version.digest) != nil, state.current?.digest == version.digest {
        state.current = nil
      }
      // In memory even if the disk is full: this process must not try it again.
      contents.state = state
      try save(state, &contents)
      guard state.refusedVersion(version.digest) != nil else { return }
      for known in contents.snapshots.values where known.digest == version.digest {
        try refusing { () throws(DiskFault) in try disk.remove(manifestPath(known.sequence)) }
        contents.snapshots[known.sequence] = nil
      }
      contents.rebuildChunks()
      try removeUnneededSegments(contents)
    }
  }

  /// Checks an operator's order and obeys it: the target is what is served from here on, and what lies above it, up to
  /// where the order comes from, is withdrawn. Obeying the same order twice changes nothing.
  ///
  /// Throws `untrustedKey`, `badSignature`, `malformed`; `unreadable` for another region; `notYetValid`, `expired`;
  /// `refusedBefore` when a newer order was obeyed; `olderSequence` when more than the order's start is served;
  /// `truncated` when the target is not on this disk, `sequenceConflict` when it is another.
  @discardableResult
  package func obey(
    _ signed: SignedBytes, region: String, now: Timestamp
  ) throws(Refusal) -> RollbackOrder {
    try requireWritable()
    let order = try RollbackOrder(bytes: try signed.verified(purpose: .rollback, trusted: trusted))
    try order.check(region: region, now: now)
    try contents.withLock { (contents) throws(Refusal) in
      var state = contents.state
      guard state.lastOrder?.payload != signed.payload else { return }
      try order.check(against: state, snapshot: contents.snapshots[order.toSequence])
      state.floor = .init(sequence: order.toSequence, digest: order.toDigest)
      state.current = state.floor
      state.withdrawnAbove = order.toSequence
      state.withdrawnThrough = max(state.withdrawnThrough, order.fromSequence)
      state.lastOrder = signed
      try save(state, &contents)
    }
    return order
  }

  /// Removes all snapshots but the `count` newest, the current one and those that are pinned, and the segments that
  /// only they named. What is being staged stays. Damaged manifests go too. Returns the sequences removed.
  @discardableResult
  package func prune(keeping count: Int, pinned: Set<UInt64> = []) throws(Refusal) -> [UInt64] {
    try requireWritable()
    return try contents.withLock { (contents) throws(Refusal) in
      // A sequence that goes must still be known to have been taken.
      if contents.savedState != contents.state { try save(contents.state, &contents) }
      let newest = contents.snapshots.keys.sorted(by: >).prefix(max(0, count))
      let kept = pinned.union(newest).union([contents.state.current?.sequence ?? 0])
      let removed = contents.snapshots.keys.filter { !kept.contains($0) }.sorted()
      for sequence in removed {
        try refusing { () throws(DiskFault) in try disk.remove(manifestPath(sequence)) }
        contents.snapshots[sequence] = nil
      }
      for file in contents.damaged where file.path.hasSuffix(".manifest") {
        try refusing { () throws(DiskFault) in try disk.remove(file.path) }
      }
      contents.damaged.removeAll { $0.path.hasSuffix(".manifest") }
      // Manifests before segments, for good: a manifest never names what is gone.
      try refusing { () throws(DiskFault) in try disk.syncDirectory(manifestsPath) }
      contents.rebuildChunks()
      try removeUnneededSegments(contents)
      return removed
    }
  }

  private func save(_ state: LibraryState, _ contents: inout Contents) throws(Refusal) {
    try disk.replace(statePath, with: state.fileBytes)
    contents.state = state
    contents.savedState = state
  }
}

extension RollbackOrder {
  fileprivate func check(region: String, now: Timestamp) throws(Refusal) {
    let place = "rollback order"
    guard self.region.isEmpty || self.region == region else {
      throw Refusal(.unreadable, at: place, "is for region \(self.region.prefix(64)), this is \(region)")
    }
    guard issued.milliseconds <= now.milliseconds + Manifest.clockSkewMilliseconds else {
      throw Refusal(.notYetValid, at: place, "was issued in our future: compare the clocks")
    }
    guard now < expires else {
      throw Refusal(.expired, at: place, "expired at \(expires.milliseconds) ms: give it again")
    }
    guard fromSequence != toSequence else { throw Refusal(.malformed, at: place, "leads nowhere") }
  }

  fileprivate func check(against state: LibraryState, snapshot: VerifiedManifest?) throws(Refusal) {
    let place = "rollback order"
    if let last = state.lastOrder, let obeyed = try? RollbackOrder(bytes: last.payload),
      issued <= obeyed.issued
    {
      throw Refusal(.refusedBefore, at: place, "is not newer than the one obeyed last")
    }
    if let current = state.current, fromSequence < current.sequence {
      throw Refusal(
        .olderSequence, at: place,
        "starts from \(fromSequence), and \(current.sequence) is served: give it again from there")
    }
    guard let snapshot else {
      throw Refusal(.truncated, at: place, "goes to \(toSequence), which is not on this disk: stage it first")
    }
    guard snapshot.digest == toDigest else {
      throw Refusal(
        .sequenceConflict, at: place,
        "goes to \(toSequence) as \(toDigest.short), on this disk it is \(snapshot.digest.short)")
    }
  }
}
