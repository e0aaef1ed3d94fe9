package import Base
package import Snapshots

// The bytes are hashed and written outside of the actor, so that followers are answered meanwhile. Nothing of a
// manifest that was not verified is kept.

extension ControlNode {
  /// The chunks of a manifest that the operator has to send; none when the snapshot is here already.
  package nonisolated func missingChunks(of envelope: SignedBytes) async throws(Fault) -> [Manifest.Chunk] {
    let version = try await admit(envelope, for: nil)
    if library.snapshot(version.sequence)?.digest == version.digest { return [] }
    try await beginPublishing(version.digest)
    let outcome: Result<[Manifest.Chunk], Fault>
    do { outcome = .success(try library.beginStaging(version).missing) } catch {
      outcome = .failure(Fault(refusal: error))
    }
    await endPublishing()
    return try outcome.get()
  }

  /// Takes a snapshot: verifies the manifest, receives the chunks that are missing here (others are ignored),
  /// verifies the whole, and registers it for the regions. When it returns, the snapshot survives everything, and its
  /// rollout has begun in every region that is not pinned.
  ///
  /// The same snapshot again is confirmed again, also for further regions. Throws PERMISSION_DENIED for a wrong
  /// signature, ALREADY_EXISTS for the same sequence with another digest, FAILED_PRECONDITION for an older sequence or
  /// an expired manifest, DATA_LOSS for wrong or missing chunks, ABORTED while another publish goes on; the refusal's
  /// own code is in the metadata. What was received stays for the next attempt.
  package nonisolated func publish<Chunks: AsyncSequence>(
    _ order: PublishOrder, chunks: Chunks, by who: String
  ) async throws(Fault) -> PublishReceipt where Chunks.Element == [UInt8] {
    let version = try await admit(order.manifest, for: order.regions)
    // Until it is registered: forgetting old snapshots removes from the library what the registry does not know.
    try await beginPublishing(version.digest)
    let outcome: Result<UInt64, Fault>
    do throws(Fault) {
      var received: UInt64 = 0
      if library.snapshot(version.sequence)?.digest != version.digest {
        received = try await receive(chunks, of: version).get()
      }
      try await register(version, for: order.regions, by: who)
      outcome = .success(received)
    } catch {
      outcome = .failure(error)
    }
    await endPublishing()
    return PublishReceipt(
      sequence: version.sequence, digest: version.digest, bytesReceived: try outcome.get(),
      bytesTotal: version.manifest.byteCount)
  }

  private nonisolated func receive<Chunks: AsyncSequence>(
    _ chunks: Chunks, of version: VerifiedManifest
  ) async -> Result<UInt64, Fault> where Chunks.Element == [UInt8] {
    do {
      let staging = try library.beginStaging(version)
      // Nothing is awaited when nothing lacks: the operator may have ended its stream with the order.
      if !staging.missing.isEmpty {
        for try await chunk in chunks { try staging.accept(Digest(of: chunk), chunk) }
      }
      try staging.finish()
      return .success(staging.counts.bytesFetched)
    } catch let refusal as Refusal {
      return .failure(Fault(refusal: refusal))
    } catch let fault as Fault {
      return .failure(fault)
    } catch is CancellationError {
      return .failure(
        Fault(.cancelled, "the publish was given up; what was received stays for the next attempt"))
    } catch {
      return .failure(Fault(.aborted, "the chunks ended: \(error)"))
    }
  }

  /// Everything that can be refused before the first chunk travels.
  /// Without regions only the snapshot itself is looked at.
  private func admit(_ envelope: SignedBytes, for names: [String]?) throws(Fault) -> VerifiedManifest {
    let version: VerifiedManifest
    do {
      version = try VerifiedManifest(envelope, trusted: configuration.trustedKeys)
    } catch { throw Fault(refusal: error) }
    try check(version)
    if let names { try check(version, for: names) }
    // Published before: further regions may still get it, whatever came after it elsewhere.
    if state.snapshots[version.sequence]?.digest == version.digest { return version }
    do { return try library.verify(envelope, now: time.now) } catch { throw Fault(refusal: error) }
  }

  /// The rules of sequences, by the registry: it remembers longer than the library.
  private func check(_ version: VerifiedManifest) throws(Fault) {
    let sequence = version.sequence
    guard Int64(exactly: sequence) != nil else {
      throw Fault(
        .outOfRange, "sequence \(sequence) is too high; use the next one after \(state.newestSequence)")
    }
    if let known = state.snapshots[sequence] {
      guard known.digest == version.digest else {
        throw Fault(
          refusal: Refusal(
            .sequenceConflict, at: "manifest sequence",
            "\(sequence) was published as \(known.digest.short): publish under a new sequence"))
      }
    } else if sequence <= state.newestSequence {
      throw Fault(
        refusal: Refusal(
          .olderSequence, at: "manifest sequence",
          "\(sequence) is not above \(state.newestSequence), which was published: build it under a new sequence"
        ))
    }
  }

  private func check(_ version: VerifiedManifest, for names: [String]) throws(Fault) {
    let sequence = version.sequence
    for region in try regions(named: names) {
      if state.offers[region.name]?[sequence] == true {
        throw Fault(
          .failedPrecondition,
          "\(sequence) was withdrawn in \(region.name): publish a new snapshot, or `restore` it")
      }
      guard sequence >= max(region.target, region.staging) || state.offers[region.name]?[sequence] != nil
      else {
        throw Fault(
          .failedPrecondition,
          "\(region.name) is at \(max(region.target, region.staging)), beyond \(sequence)")
      }
    }
  }

  private func register(_ version: VerifiedManifest, for names: [String], by who: String) throws(Fault) {
    // Again, because the chunks took their time.
    try check(version)
    try check(version, for: names)
    let regions = try regions(named: names)
    var changes: [FleetChange] = []
    if state.snapshots[version.sequence] == nil {
      changes.append(.published(SnapshotSummary(version), version.envelope))
    }
    for var region in regions where state.offers[region.name]?[version.sequence] == nil {
      changes.append(.offered(region: region.name, sequence: version.sequence))
      guard region.pinned == 0 else { continue }
      region.staging = version.sequence == region.target ? 0 : version.sequence
      region.halted = ""
      changes.append(.region(region))
    }
    var next = state
    next.apply(changes)
    let forgettable = next.forgettable
    changes += forgettable.map { .forgotten($0) }
    if !changes.isEmpty {
      let place = names.isEmpty ? "all regions" : names.joined(separator: ", ")
      try commit(changes, by: who, what: "publish \(version.sequence) (\(version.digest.short)) to \(place)")
    }
    if !forgettable.isEmpty {
      // Best effort: what stays on the disk now goes with the next one.
      _ = try? library.prune(keeping: 0, pinned: Set(state.snapshots.keys))
    }
    for region in regions { advance(region.name) }
  }

  private func beginPublishing(_ digest: Digest) throws(Fault) {
    if let other = publishing {
      throw Fault(.aborted, "another publish (\(other.short)) goes on; try again when it has ended")
    }
    publishing = digest
  }

  private func endPublishing() { publishing = nil }
}

extension SnapshotSummary {
  init(_ version: VerifiedManifest) {
    self.init(
      sequence: version.sequence, digest: version.digest, parent: version.manifest.parentSequence,
      created: version.manifest.created, expires: version.manifest.expires,
      titleCount: version.manifest.titleCount, byteCount: version.manifest.byteCount, isWithdrawn: false)
  }
}
