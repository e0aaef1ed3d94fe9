package import Base
internal import Synchronization

/// A snapshot of which every byte was verified, mapped and ready to be used in place. Its files may be removed from the
/// disk meanwhile: the mappings keep them.
package struct OpenSnapshot: Sendable {
  package let version: VerifiedManifest
  package let segments: [SegmentKey: MappedBytes]

  package var manifest: Manifest { version.manifest }
  package var digest: Digest { version.digest }
  package var sequence: UInt64 { version.sequence }

  /// Throws `unreadable` when the snapshot has no such segment.
  package func segment(kind: String, name: String) throws(Refusal) -> MappedBytes {
    let key = SegmentKey(kind: kind, name: name)
    guard let mapped = segments[key] else {
      throw Refusal(.unreadable, at: "\(key)", "is not in snapshot \(sequence)")
    }
    return mapped
  }

  /// The segments of one kind, in the manifest's order.
  package func segments(kind: String) -> [(name: String, mapped: MappedBytes)] {
    manifest.segments.compactMap { segment in
      guard segment.kind == kind, let mapped = segments[segment.key] else { return nil }
      return (segment.name, mapped)
    }
  }
}

extension SnapshotLibrary {
  /// Maps a snapshot's segments and verifies all of their bytes, on all cores. Segments whose files this library has
  /// verified before and nobody has written to since are taken as they are, so a publish of few changes hashes little.
  /// Throws `refusedBefore` for a barred version, and `corrupt` or `truncated` with segment, chunk number and offset.
  package func open(_ sequence: UInt64) throws(Refusal) -> OpenSnapshot {
    let (version, barred) = contents.withLock { contents in
      let version = contents.snapshots[sequence]
      return (version, version.flatMap { contents.state.refusedVersion($0.digest) })
    }
    guard let version else {
      let damage = damaged.first { $0.path == manifestPath(sequence) }
      throw damage?.refusal
        ?? Refusal(.truncated, at: "sequence \(sequence)", "is not on this disk: stage it first")
    }
    if let barred {
      throw Refusal(
        .refusedBefore, at: "sequence \(sequence)",
        "was refused before (\(barred.refusal.code.rawValue) at \(barred.refusal.place))")
    }
    var entries: [(segment: Manifest.Segment, mapped: MappedBytes)] = []
    var segments: [SegmentKey: MappedBytes] = [:]
    var byDigest: [Digest: MappedBytes] = [:]
    for segment in version.manifest.segments {
      if let twin = byDigest[segment.digest] {
        segments[segment.key] = twin
        continue
      }
      let mapped = try mapped(segment)
      entries.append((segment, mapped))
      segments[segment.key] = mapped
      byDigest[segment.digest] = mapped
    }
    try verifyChunks(of: entries)
    return OpenSnapshot(version: version, segments: segments)
  }
}
