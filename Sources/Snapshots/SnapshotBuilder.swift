package import Base
internal import Dispatch
internal import Synchronization

/// Makes a snapshot of finished segment files: chunks and digests them, signs the manifest, and puts all into a
/// library. An export directory is a library as well.
package struct SnapshotBuilder: Sendable {
  /// A finished segment file and its name in the snapshot.
  package struct Source: Sendable, Equatable {
    package var kind: String
    package var name: String
    package var path: String

    package init(kind: String, name: String, path: String) {
      self.kind = kind
      self.name = name
      self.path = path
    }
  }

  package struct Progress: Sendable, Equatable {
    /// The segment being read, as "kind/name".
    package var segment: String
    package var bytesDone: UInt64
    package var bytesTotal: UInt64

    package init(segment: String, bytesDone: UInt64, bytesTotal: UInt64) {
      self.segment = segment
      self.bytesDone = bytesDone
      self.bytesTotal = bytesTotal
    }
  }

  private static let copyByteCount = 4 << 20

  package let library: SnapshotLibrary
  package let key: PrivateKey
  package var chunker = Chunker()
  /// Moves the sources into the library instead of copying them: half the writing, for files that nothing else needs.
  /// They are gone afterwards, even if the build is refused at its end. On another file system they are copied.
  package var consumesSources = false

  /// The library must trust the key.
  package init(library: SnapshotLibrary, key: PrivateKey) {
    self.library = library
    self.key = key
  }

  /// Builds, signs and stores a snapshot. `draft` is the manifest without segments. Sources are copied (see
  /// ``consumesSources``), unless the library has the segment already: then its file is shared. The same draft and sources give the same bytes.
  ///
  /// Throws `limitExceeded` or `malformed` for what no reader would take, the rules of sequences, `untrustedKey` when
  /// the library doesn't trust the key, `diskFull` and `diskError`. The library is then as it was.
  package func build(
    _ draft: Manifest, from sources: [Source], progress: @Sendable (Progress) -> Void = { _ in }
  ) throws(Refusal) -> VerifiedManifest {
    precondition(draft.segments.isEmpty, "a draft's segments come from its sources")
    try library.requireWritable()
    var mapped: [MappedBytes] = []
    for source in sources {
      mapped.append(try refusing { () throws(DiskFault) in try library.disk.map(source.path) })
    }
    var manifest = draft
    let bytesTotal = mapped.reduce(0) { $0 + UInt64($1.count) }
    var bytesDone: UInt64 = 0
    for (source, bytes) in zip(sources, mapped) {
      let before = bytesDone
      let key = SegmentKey(kind: source.kind, name: source.name)
      let segment = describe(bytes, key: key) { count in
        progress(Progress(segment: "\(key)", bytesDone: before + UInt64(count), bytesTotal: bytesTotal))
      }
      manifest.segments.append(segment)
      bytesDone += segment.byteCount
    }
    try manifest.check()
    let version = try VerifiedManifest(
      SignedBytes(signing: manifest.bytes, purpose: .manifest, key: key), trusted: library.trusted)
    try library.admit(version)
    try store(version, from: mapped, paths: sources.map(\.path))
    return version
  }

  /// Chunks on one thread, the whole on another: they cost about the same.
  private func describe(
    _ mapped: MappedBytes, key: SegmentKey, progress: @Sendable (Int) -> Void
  ) -> Manifest.Segment {
    let chunks = Mutex<[Manifest.Chunk]>([])
    let whole = Mutex<Digest?>(nil)
    let bytes = mapped.bytes
    DispatchQueue.concurrentPerform(iterations: 2) { [bytes = SharedBytes(mapped: mapped)] side in
      if side == 1 { return whole.withLock { $0 = Digest(of: bytes.mapped.bytes) } }
      var found: [Manifest.Chunk] = []
      var start = 0
      while start < bytes.mapped.count {
        let rest = UnsafeRawBufferPointer(rebasing: bytes.mapped.bytes[start...])
        let count = chunker.firstCut(of: rest)
        let chunk = UnsafeRawBufferPointer(rebasing: rest[..<count])
        found.append(Manifest.Chunk(byteCount: UInt32(count), digest: Digest(of: chunk)))
        start += count
        progress(start)
      }
      chunks.withLock { $0 = found }
    }
    return Manifest.Segment(
      kind: key.kind, name: key.name, byteCount: UInt64(bytes.count),
      digest: whole.withLock { $0 } ?? Digest(of: bytes), chunks: chunks.withLock { $0 })
  }

  private func store(
    _ version: VerifiedManifest, from mapped: [MappedBytes], paths: [String]
  ) throws(Refusal) {
    let segments = version.manifest.segments
    let ticket = library.hold(segments.map(\.digest))
    defer { library.release(ticket) }
    var stored: Set<Digest> = []
    for (index, segment) in segments.enumerated() where stored.insert(segment.digest).inserted {
      if library.isComplete(segment) { continue }
      try refusing { () throws(DiskFault) in
        try place(mapped[index], path: paths[index], as: library.segmentPath(segment.digest))
      }
      // The source may have changed since its digest was taken.
      guard library.isComplete(segment) else {
        throw Refusal(.corrupt, at: "\(segment.key)", "changed while the snapshot was built: build it again")
      }
    }
    try refusing { () throws(DiskFault) in try library.disk.syncDirectory(library.segmentsPath) }
    try library.enter(version)
  }

  private func place(_ mapped: MappedBytes, path: String, as segment: String) throws(DiskFault) {
    if consumesSources {
      do throws(DiskFault) {
        try library.disk.sync(path)
        return try library.disk.rename(path, to: segment)
      } catch  where error.code == .failed {
        // Another file system, most likely; if it is worse, copying says so.
      }
    }
    let draft = segment + ".building"
    do throws(DiskFault) {
      try copy(mapped, to: draft)
      try library.disk.sync(draft)
      try library.disk.rename(draft, to: segment)
    } catch {
      try? library.disk.remove(draft)
      throw error
    }
    if consumesSources { try library.disk.remove(path) }
  }

  private func copy(_ mapped: MappedBytes, to path: String) throws(DiskFault) {
    try library.disk.remove(path)
    for start in stride(from: 0, to: mapped.count, by: Self.copyByteCount) {
      let end = min(start + Self.copyByteCount, mapped.count)
      try library.disk.write(UnsafeRawBufferPointer(rebasing: mapped.bytes[start..<end]), to: path, at: start)
    }
  }
}

private struct SharedBytes: Sendable {
  let mapped: MappedBytes
}

extension SnapshotLibrary {
  /// Keeps segments from being removed until the ticket is released.
  func hold(_ digests: [Digest]) -> Int {
    contents.withLock { contents in
      contents.ticket += 1
      contents.holds[contents.ticket] = Set(digests)
      return contents.ticket
    }
  }

  /// Lets go, and removes what nothing else needs; what can't be removed now goes at the next opening.
  func release(_ ticket: Int) {
    contents.withLock { contents in
      contents.holds[ticket] = nil
      try? removeUnneededSegments(contents)
    }
  }

  /// Brings a snapshot over from another library (an export, say), as staging from a peer would: verified, sharing
  /// what is here already.
  @discardableResult
  package func copy(
    _ sequence: UInt64, from source: SnapshotLibrary, now: Timestamp
  ) throws(Refusal) -> Staging.Counts {
    guard let envelope = source.snapshot(sequence)?.envelope else {
      throw Refusal(.truncated, at: "sequence \(sequence)", "is not in \(source.directory)")
    }
    let staging = try beginStaging(try verify(envelope, now: now))
    do throws(Refusal) {
      for chunk in staging.missing {
        guard let bytes = try source.chunk(chunk.digest) else {
          throw Refusal(.truncated, at: "chunk \(chunk.digest.short)", "is not in \(source.directory)")
        }
        try staging.accept(chunk.digest, bytes)
      }
      try staging.finish()
    } catch {
      staging.abandon()
      throw error
    }
    return staging.counts
  }
}
