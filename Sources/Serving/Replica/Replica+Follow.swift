package import Base
internal import Snapshots

// What directives do. Several may be under way at once: a staging takes its time, and a rollback must not wait for it.

extension Replica {
  /// Bytes of chunks asked for at once. What a kill takes is what was on its way, so this is all that is ever fetched
  /// twice; a stream's window is as small, so asking for more would bring nothing sooner.
  static let windowByteCountMax = Limits.chunkByteCountMax
  /// Chunks asked for at once: a manifest may have tiny ones, and a request names 1,024 at most.
  static let windowCountMax = 64
  /// Bytes that come in between two reports of how far a staging is.
  private static let reportByteCount: UInt64 = 4 << 20
  /// Bad or missing chunks from the control node until the version is given up.
  static let badChunkCountMax = 3
  static let pauseMillisecondsMax = 5000

  private enum Outcome {
    case done
    case refused(Refusal)
    /// Cancelled, or overtaken by a newer directive: nobody waits for an answer.
    case overtaken
  }

  /// Does what a directive says and returns the answer to send. `nil` when the task was cancelled (the stream is gone;
  /// what was fetched stays, and is not fetched again) or a newer directive took its place.
  package func handle(_ directive: Directive) async -> FollowReport? {
    let outcome =
      switch directive.body {
      case .stage(let manifest, let peers): await stage(manifest, peers: peers)
      case .announce(let sequence, let digest, let rollback):
        await announce(sequence, digest, rollback: rollback)
      case .routing(let table): await take(table)
      }
    switch outcome {
    case .done: return .acknowledged(nonce: directive.nonce, status: status)
    case .refused(let refusal): return .refused(nonce: directive.nonce, refusal: refusal, status: status)
    case .overtaken: return nil
    }
  }

  // MARK: Stage

  private func stage(_ envelope: SignedBytes, peers: [String]) async -> Outcome {
    stagingTicket += 1
    let ticket = stagingTicket
    isStaging = true
    defer { if ticket == stagingTicket { isStaging = false } }
    do throws(Refusal) {
      let (library, now) = (library, time.now)
      let version = try await offload { () throws(Refusal) in try library.verify(envelope, now: now) }
      if isOpen(version.digest) { return .done }
      let staging = try await offload { () throws(Refusal) in try library.beginStaging(version) }
      guard try await fetch(staging, peers: peers, ticket: ticket) else { return .overtaken }
      try await offload { () throws(Refusal) in try staging.finish() }
      broken[version.sequence] = nil
      let generation = try await opened(version.sequence, version.digest)
      guard ticket == stagingTicket else { return .overtaken }
      warm = generation
      return .done
    } catch {
      // A staging that another one ended throws too; it says nothing about the version.
      guard ticket == stagingTicket else { return .overtaken }
      await remember(envelope, error)
      return .refused(error)
    }
  }

  private func isOpen(_ digest: Digest) -> Bool {
    warm?.digest == digest || slot.all.contains { $0.digest == digest }
  }

  /// So that the version is not tried again and the operator sees why. What is served already was right once: then
  /// only this disk is at fault.
  private func remember(_ envelope: SignedBytes, _ refusal: Refusal) async {
    guard refusal.code != .refusedBefore, !slot.all.contains(where: { $0.digest == envelope.digest }) else {
      return
    }
    let library = library
    // When the disk is full it is remembered in memory only, and tried once more after a restart.
    try? await offload { () throws(Refusal) in try library.recordRefused(envelope, refusal) }
  }

  /// Fetches what is missing, window by window: from the peers that have it, then from the control node. False when the
  /// task was cancelled or another staging began.
  private func fetch(_ staging: Staging, peers: [String], ticket: Int) async throws(Refusal) -> Bool {
    var peers = peers
    var badChunkCount = 0
    var pauseMilliseconds = 100
    while true {
      let missing = staging.missing
      stagingCounts = staging.counts
      changed()
      if missing.isEmpty { return true }
      var hasProgress = false
      for var window in Self.windows(of: missing) {
        for origin in peers.map(ChunkOrigin.peer) + [.control] where !window.isEmpty {
          guard ticket == stagingTicket, !Task.isCancelled else { return false }
          let answer = try await take(window, from: origin, into: staging)
          window.removeAll { answer.accepted.contains($0) }
          hasProgress = hasProgress || !answer.accepted.isEmpty
          switch origin {
          case .peer(let address):
            // One that has nothing, or nothing right, is not asked again.
            if answer.accepted.isEmpty || answer.bad != nil { peers.removeAll { $0 == address } }
          case .control:
            if let bad = answer.bad {
              badChunkCount += 1
              if badChunkCount >= Self.badChunkCountMax { throw bad }
            }
          }
        }
        let counts = staging.counts
        guard counts.bytesFetched - stagingCounts.bytesFetched >= Self.reportByteCount else { continue }
        stagingCounts = counts
        changed()
      }
      // The control node may be gone for a while: no reason to refuse, and none to hurry.
      if hasProgress {
        pauseMilliseconds = 100
      } else {
        await pause(pauseMilliseconds)
        pauseMilliseconds = min(pauseMilliseconds * 2, Self.pauseMillisecondsMax)
      }
      guard ticket == stagingTicket, !Task.isCancelled else { return false }
    }
  }

  /// In their order; each has at least one chunk, and no more than ``windowCountMax`` of together at most
  /// ``windowByteCountMax`` bytes, which is what one chunk may have.
  static func windows(of chunks: [Manifest.Chunk]) -> [[Digest]] {
    var windows: [[Digest]] = []
    var room = 0
    for chunk in chunks {
      let byteCount = Int(chunk.byteCount)
      if byteCount > room || windows.last?.count ?? windowCountMax >= windowCountMax {
        windows.append([])
        room = windowByteCountMax
      }
      windows[windows.endIndex - 1].append(chunk.digest)
      room -= byteCount
    }
    return windows
  }

  private func take(
    _ digests: [Digest], from origin: ChunkOrigin, into staging: Staging
  ) async throws(Refusal) -> (accepted: Set<Digest>, bad: Refusal?) {
    let wanted = Set(digests)
    var accepted: Set<Digest> = []
    for await chunk in chunks.fetch(digests, from: origin) where wanted.contains(chunk.digest) {
      guard let bytes = chunk.bytes else {
        // A peer may lack it. What the control node published and hasn't got whole any more can't be had anywhere.
        guard origin == .control else { continue }
        let lost = Refusal(
          .corrupt, at: staging.place(ofMissing: chunk.digest),
          "chunk \(chunk.digest.short) is lost or damaged on the control node: publish anew")
        return (accepted, lost)
      }
      do throws(Refusal) {
        try staging.accept(chunk.digest, bytes)
        accepted.insert(chunk.digest)
      } catch {
        guard error.code == .corrupt || error.code == .truncated else { throw error }
        return (accepted, error)
      }
    }
    return (accepted, nil)
  }

  // MARK: Announce

  private func announce(_ sequence: UInt64, _ digest: Digest, rollback: SignedBytes?) async -> Outcome {
    if rollback == nil, slot.current?.digest == digest, library.state.current?.digest == digest {
      return .done
    }
    do throws(Refusal) {
      // Opened before anything is changed: what can't be served is never made current.
      let generation = try await opened(sequence, digest)
      let (library, region, now) = (library, settings.region, time.now)
      try await offload { () throws(Refusal) in
        if let rollback { try library.obey(rollback, region: region, now: now) }
        try library.setCurrent(sequence: sequence, digest: digest)
      }
      guard library.state.current?.digest == digest else { return .overtaken }
      serve(generation, isRollback: rollback != nil)
      await prune()
      return .done
    } catch {
      return .refused(error)
    }
  }

  private func serve(_ generation: Generation, isRollback: Bool) {
    if warm?.digest == generation.digest { warm = nil }
    guard slot.current?.digest != generation.digest else { return }
    // The generation before is still mapped: going back to it is an assignment.
    if isRollback, slot.rollback(where: { $0.digest == generation.digest }) != nil { return changed() }
    slot.cutover(to: generation)
    changed()
  }

  private func prune() async {
    let library = library
    let kept = Set(slot.all.map(\.sequence) + (warm.map { [$0.sequence] } ?? []))
    // A disk that doesn't remove files is seen at the next staging.
    _ = try? await offload { () throws(Refusal) in
      try library.prune(keeping: Limits.generationCountMax, pinned: kept)
    }
  }

  /// The generation, from memory if it is open, else from the disk. Throws `sequenceConflict` when the disk has another
  /// one under the sequence.
  func opened(_ sequence: UInt64, _ digest: Digest) async throws(Refusal) -> Generation {
    if let open = ([warm].compactMap { $0 } + slot.all).first(where: { $0.digest == digest }) { return open }
    let (library, time, keys) = (library, time, slot.current?.audiences.keys ?? [])
    return try await offload { () throws(Refusal) in
      let snapshot = try library.open(sequence)
      guard snapshot.digest == digest else {
        throw Refusal(
          .sequenceConflict, at: "sequence \(sequence)",
          "is \(snapshot.digest.short) on this disk, announced was \(digest.short)")
      }
      return try Generation.open(snapshot, time: time, audiences: keys)
    }
  }

  // MARK: Routing

  private func take(_ table: RoutingTable) async -> Outcome {
    let routing = routing
    do throws(Refusal) {
      try await offload { () throws(Refusal) in try routing.take(table) }
      changed()
      return .done
    } catch {
      return .refused(error)
    }
  }
}
