package import Base
internal import Synchronization

/// What a staging found on the disk and what it lacks.
struct StagingPlan {
  var targets: [Manifest.Segment]
  /// `segment` of each span is an index of `targets`.
  var missing: [ChunkSpan]
  var bytesTotal: UInt64
}

extension SnapshotLibrary {
  /// Begins to stage a verified manifest: looks for its segments, for chunks in other segments and for chunks of an
  /// earlier attempt, all by their digests, and copies what it finds. A segment that is there and damaged is made
  /// again, so staging a snapshot that is on the disk already mends it. What shows damage: a file that was written to since
  /// it was verified, a chunk that was read and isn't right, and everything when a process starts.
  ///
  /// Throws the rules' refusals again (the state may have changed since the manifest was verified), `diskFull`,
  /// `diskError`.
  package func beginStaging(_ version: VerifiedManifest) throws(Refusal) -> Staging {
    try requireWritable()
    try admit(version)
    let distinct = version.manifest.distinctSegments
    let ticket = contents.withLock { contents in
      contents.ticket += 1
      if let older = contents.staging { contents.holds[older] = nil }
      contents.interrupted = nil
      contents.staging = contents.ticket
      contents.holds[contents.ticket] = Set(distinct.map(\.digest))
      return contents.ticket
    }
    do throws(Refusal) {
      // First, so that opening the library after a crash knows whose the parts are.
      try disk.replace(wantedPath, with: version.envelope.fileBytes)
      let targets = distinct.filter { !isComplete($0) }
      let wanted = Set(targets.map { partPath($0.digest) } + [wantedPath])
      try remove(from: stagingPath) { !wanted.contains("\(stagingPath)/\($0)") }
      var missing: [ChunkSpan] = []
      for (index, segment) in targets.enumerated() { missing += try prepare(segment, index: index) }
      let plan = StagingPlan(
        targets: targets, missing: try copyKnown(missing, targets: targets),
        bytesTotal: distinct.reduce(0) { $0 + $1.byteCount })
      return Staging(plan, of: version, library: self, ticket: ticket)
    } catch {
      // The parts of another fault stay for the next attempt.
      endStaging(ticket, removing: error.code == .diskFull)
      throw error
    }
  }

  /// Whether the file is there and every chunk of it is what was signed.
  func isComplete(_ segment: Manifest.Segment) -> Bool {
    guard let mapped = try? disk.map(segmentPath(segment.digest)) else { return false }
    return (try? verifyChunks(of: [(segment, mapped)])) != nil
  }

  /// Gives the part its size and returns the chunks that are not in it yet.
  private func prepare(_ segment: Manifest.Segment, index: Int) throws(Refusal) -> [ChunkSpan] {
    let path = partPath(segment.digest)
    guard let byteCount = Int(exactly: segment.byteCount) else {
      throw Refusal(.limitExceeded, at: "\(segment.key)", "has \(segment.byteCount) bytes")
    }
    let spans = segment.spans(index: index)
    let size = try refusing { () throws(DiskFault) in try disk.size(path) }
    if size != byteCount {
      try refusing { () throws(DiskFault) in try disk.truncate(path, to: byteCount) }
    }
    guard size ?? 0 > 0 else { return spans }
    let part = try refusing { () throws(DiskFault) in try disk.map(path) }
    let intact = whichHold(count: spans.count) { spans[$0].isIntact(in: part.bytes) }
    return zip(spans, intact).filter { !$1 }.map(\.0)
  }

  /// Copies the chunks that some segment on this disk has; returns those that none has. Read and hashed on all cores,
  /// written in order, so that a run can be repeated write for write.
  private func copyKnown(
    _ spans: [ChunkSpan], targets: [Manifest.Segment]
  ) throws(Refusal) -> [ChunkSpan] {
    let sources = spans.map { span -> UnsafeChunk? in
      guard let found = try? locate(span.chunk.digest), found.0.byteCount == Int(span.chunk.byteCount) else {
        return nil
      }
      return UnsafeChunk(mapped: found.1, range: found.0.offset..<(found.0.offset + found.0.byteCount))
    }
    let intact = whichHold(count: spans.count) { index in
      guard let source = sources[index] else { return false }
      return Digest(of: source.bytes) == spans[index].chunk.digest
    }
    defer { withExtendedLifetime(sources) {} }
    var missing: [ChunkSpan] = []
    for (index, span) in spans.enumerated() {
      guard intact[index], let source = sources[index] else {
        if let place = contents.withLock({ $0.chunks[span.chunk.digest] }) { doubt(place.segment) }
        missing.append(span)
        continue
      }
      let path = partPath(targets[span.segment].digest)
      try refusing { () throws(DiskFault) in try disk.write(source.bytes, to: path, at: span.offset) }
    }
    return missing
  }

  /// Syncs and verifies the parts, then gives them their names.
  func complete(_ targets: [Manifest.Segment]) throws(Refusal) {
    guard !targets.isEmpty else { return }
    var mapped: [MappedBytes] = []
    for segment in targets {
      let path = partPath(segment.digest)
      try refusing { () throws(DiskFault) in try disk.sync(path) }
      mapped.append(try refusing { () throws(DiskFault) in try disk.map(path) })
    }
    // Verified again as a whole, because a disk may lie about what was written, and a manifest about its chunks.
    let parts = mapped
    let bad = firstFailure(count: targets.count) { index in
      UInt64(parts[index].count) == targets[index].byteCount
        && Digest(of: parts[index].bytes) == targets[index].digest
    }
    if let bad {
      throw Refusal(.corrupt, at: "\(targets[bad].key)", "is not what was signed, though its chunks are")
    }
    for segment in targets {
      try refusing { () throws(DiskFault) in
        try disk.rename(partPath(segment.digest), to: segmentPath(segment.digest))
      }
      // A mapping of a damaged file that this one took the place of.
      contents.withLock { $0.mapped[segment.digest] = nil }
    }
    try refusing { () throws(DiskFault) in try disk.syncDirectory(segmentsPath) }
  }

  /// Writes the manifest of a snapshot whose segments are all in place: from here on the library has it.
  func enter(_ version: VerifiedManifest) throws(Refusal) {
    try contents.withLock { (contents) throws(Refusal) in
      // Once more, under the lock: an order or a refusal may have come while the bytes did.
      try contents.state.admit(sequence: version.sequence, digest: version.digest)
      let path = manifestPath(version.sequence)
      do throws(Refusal) {
        try disk.replace(path, with: version.envelope.fileBytes)
      } catch {
        // It may have its name already and not be durable. Segments go next, and it must not outlive them.
        if contents.snapshots[version.sequence] == nil { try? disk.remove(path) }
        throw error
      }
      contents.snapshots[version.sequence] = version
      contents.damaged.removeAll { $0.path == path }
      contents.addChunks(of: version.manifest)
      // Not written to the state file here: opening the library derives it from the manifest, which is durable.
      contents.raiseFloorToSnapshots()
    }
  }

  func requireStaging(_ ticket: Int) throws(Refusal) {
    guard contents.withLock({ $0.staging == ticket }) else {
      throw Refusal(.limitExceeded, at: "staging", "is over: another one began")
    }
  }

  func removeStrayParts() {
    contents.withLock { contents in
      if contents.staging == nil { try? remove(from: stagingPath) { _ in true } }
    }
  }

  /// Lets go of what a staging holds. With `removing`, its parts go and the segments that only it wanted; what can't
  /// be removed now goes at the next opening.
  func endStaging(_ ticket: Int, removing: Bool) {
    contents.withLock { contents in
      contents.holds[ticket] = nil
      guard contents.staging == ticket else { return }
      contents.staging = nil
      guard removing else { return }
      try? remove(from: stagingPath) { _ in true }
      try? removeUnneededSegments(contents)
    }
  }
}

/// Bytes inside of a mapping, which it keeps.
private struct UnsafeChunk: Sendable {
  let mapped: MappedBytes
  let range: Range<Int>

  var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(rebasing: mapped.bytes[range]) }
}

extension Manifest {
  /// The segments by content: one that is there under two names is one file.
  var distinctSegments: [Segment] {
    var seen: Set<Digest> = []
    return segments.filter { seen.insert($0.digest).inserted }
  }
}
