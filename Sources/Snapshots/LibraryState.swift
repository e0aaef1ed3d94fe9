package import Base

/// What a library remembers beside its snapshots: how far it has gone, what it serves, and what it will not try again.
package struct LibraryState: Sendable, Equatable {
  /// A snapshot by number and digest.
  package struct Version: Sendable, Equatable {
    package var sequence: UInt64
    package var digest: Digest

    package init(sequence: UInt64, digest: Digest) {
      self.sequence = sequence
      self.digest = digest
    }
  }

  /// The highest sequence taken. Lower ones are refused; only an operator's order lowers it.
  package var floor: Version?
  /// The announced snapshot: what is served after a restart.
  package var current: Version?
  /// Sequences above the first up to the second were rolled back from: only an order brings them back. Zeros are none.
  package var withdrawnAbove: UInt64 = 0
  package var withdrawnThrough: UInt64 = 0
  package var refused: [ReplicaStatus.RefusedVersion] = []
  /// The newest order obeyed; older ones are worth nothing.
  package var lastOrder: SignedBytes?

  package init() {}

  /// The rules of sequences. Throws `sequenceConflict`, `olderSequence` or `refusedBefore`.
  package func admit(sequence: UInt64, digest: Digest) throws(Refusal) {
    let place = "manifest sequence"
    for known in [floor, current] {
      guard let known, known.sequence == sequence, known.digest != digest else { continue }
      throw Refusal(
        .sequenceConflict, at: place,
        "\(sequence) is known as \(known.digest.short), this one is \(digest.short): publish under a new sequence"
      )
    }
    if let floor, sequence < floor.sequence, current != Version(sequence: sequence, digest: digest) {
      throw Refusal(
        .olderSequence, at: place,
        "\(sequence) is older than \(floor.sequence), which was taken: roll back by a signed order")
    }
    try admitUnbarred(sequence: sequence, digest: digest)
  }

  /// The part of the rules that holds for what is on the disk as well. Throws `refusedBefore`.
  func admitUnbarred(sequence: UInt64, digest: Digest) throws(Refusal) {
    let place = "manifest sequence"
    if isWithdrawn(sequence) {
      throw Refusal(
        .refusedBefore, at: place, "\(sequence) was rolled back from and does not come back by itself")
    }
    if let version = refusedVersion(digest) {
      throw Refusal(
        .refusedBefore, at: place,
        "\(sequence) was refused before (\(version.refusal.code.rawValue) at \(version.refusal.place))")
    }
  }

  package func isWithdrawn(_ sequence: UInt64) -> Bool {
    sequence > withdrawnAbove && sequence <= withdrawnThrough
  }

  /// The refusal that bars this digest, if one does.
  package func refusedVersion(_ digest: Digest) -> ReplicaStatus.RefusedVersion? {
    refused.first { $0.digest == digest && $0.refusal.code.barsVersion }
  }

  /// Remembers a refusal, newest last. When there are too many, one that bars nothing goes first, then the lowest
  /// sequence, which the floor keeps out anyway.
  mutating func remember(_ version: ReplicaStatus.RefusedVersion) {
    // A later "refused before" must not hide the reason, nor lift the bar.
    if refusedVersion(version.digest) != nil, !version.refusal.code.barsVersion { return }
    refused.removeAll { $0.digest == version.digest }
    refused.append(version)
    while refused.count > Limits.refusedVersionCountMax {
      let first =
        refused.firstIndex { !$0.refusal.code.barsVersion }
        ?? refused.indices.min { refused[$0].sequence < refused[$1].sequence }
      refused.remove(at: first ?? 0)
    }
  }

  mutating func raiseFloor(to version: Version) {
    if version.sequence > (floor?.sequence ?? 0) { floor = version }
  }
}

extension Refusal.Code {
  /// Whether the version itself is at fault, for ever. The others depend on the clock, the disk, the keys that are
  /// trusted, this reader, or sequences taken meanwhile: they are looked at again, which costs no bytes.
  package var barsVersion: Bool {
    switch self {
    case .malformed, .corrupt, .truncated, .unreadable, .goldenMismatch, .limitExceeded: true
    case .untrustedKey, .badSignature, .expired, .notYetValid, .olderSequence, .sequenceConflict,
      .newerReader,
      .diskFull, .diskError, .refusedBefore:
      false
    }
  }
}
