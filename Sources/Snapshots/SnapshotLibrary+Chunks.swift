package import Base
internal import Synchronization

// Serving chunks to peers, and to the next snapshot of this one.

extension SnapshotLibrary {
  /// A chunk's bytes, verified; `nil` if no complete segment here has it. Throws `corrupt` when the disk no longer holds
  /// what was signed, and `diskError`.
  package func chunk(_ digest: Digest) throws(Refusal) -> [UInt8]? {
    guard let (place, mapped) = try locate(digest) else { return nil }
    // A pointer keeps no mapping: pruning may let go of the library's own meanwhile.
    defer { withExtendedLifetime(mapped) {} }
    let bytes = UnsafeRawBufferPointer(
      rebasing: mapped.bytes[place.offset..<(place.offset + place.byteCount)])
    guard Digest(of: bytes) == digest else {
      doubt(place.segment)
      throw Refusal(
        .corrupt, at: "\(segmentPath(place.segment)) offset \(place.offset)", "is not chunk \(digest.short)")
    }
    return [UInt8](bytes)
  }

  package func hasChunk(_ digest: Digest) -> Bool { contents.withLock { $0.chunks[digest] != nil } }

  /// Where a chunk lies, within the bounds of the file as it is.
  func locate(_ digest: Digest) throws(Refusal) -> (ChunkPlace, MappedBytes)? {
    let known = contents.withLock { contents in
      contents.chunks[digest].map { ($0, contents.mapped[$0.segment]) }
    }
    guard let (place, cached) = known else { return nil }
    let mapped: MappedBytes
    if let cached {
      mapped = cached
    } else {
      mapped = try refusing { () throws(DiskFault) in try disk.map(segmentPath(place.segment)) }
      // Kept only while a snapshot names the segment, or a removed file would keep its room on the disk.
      contents.withLock {
        if $0.chunks[digest]?.segment == place.segment { $0.mapped[place.segment] = mapped }
      }
    }
    guard place.offset <= mapped.count - place.byteCount else {
      throw Refusal(
        .truncated, at: "\(segmentPath(place.segment)) offset \(place.offset)",
        "ends before the end of chunk \(digest.short)")
    }
    return (place, mapped)
  }
}
