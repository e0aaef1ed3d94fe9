internal import Base

// What opening a library reads and what it removes.

extension SnapshotLibrary {
  func readState(into found: inout Contents) throws(Refusal) {
    guard let size = try refusing({ () throws(DiskFault) in try disk.size(statePath) }) else { return }
    guard size <= LibraryState.fileByteCountMax else {
      return try setStateAside(Refusal(.limitExceeded, at: statePath, "has \(size) bytes"), into: &found)
    }
    let bytes = try refusing { () throws(DiskFault) in
      try disk.read(statePath, limit: LibraryState.fileByteCountMax)
    }
    do throws(Refusal) {
      found.state = try LibraryState(fileBytes: bytes, place: statePath)
      found.savedState = found.state
    } catch {
      try setStateAside(error, into: &found)
    }
  }

  private func setStateAside(_ refusal: Refusal, into found: inout Contents) throws(Refusal) {
    let aside = statePath + ".damaged"
    found.damaged.append(DamagedFile(path: isReadOnly ? statePath : aside, refusal: refusal))
    if !isReadOnly { try refusing { () throws(DiskFault) in try disk.rename(statePath, to: aside) } }
  }

  func readManifests(into found: inout Contents) throws(Refusal) {
    let names = try refusing { () throws(DiskFault) in try disk.list(manifestsPath) }
    for name in names {
      let path = "\(manifestsPath)/\(name)"
      guard name.hasSuffix(".manifest") else { continue }
      do throws(Refusal) {
        let version = try readManifest(path)
        guard name == "\(version.sequence).manifest" else {
          throw Refusal(.malformed, at: path, "is of sequence \(version.sequence)")
        }
        try checkSegmentsArePresent(version)
        found.snapshots[version.sequence] = version
      } catch {
        found.damaged.append(DamagedFile(path: path, refusal: error))
      }
    }
    found.raiseFloorToSnapshots()
  }

  private func readManifest(_ path: String) throws(Refusal) -> VerifiedManifest {
    let bytes = try refusing { () throws(DiskFault) in
      try disk.read(path, limit: SignedBytes.fileByteCountMax)
    }
    return try VerifiedManifest(try SignedBytes(fileBytes: bytes, place: path), trusted: trusted)
  }

  /// Presence only: size and content are verified when the snapshot opens, and staging it again mends them.
  private func checkSegmentsArePresent(_ version: VerifiedManifest) throws(Refusal) {
    for segment in version.manifest.segments {
      let path = segmentPath(segment.digest)
      let size = try refusing { () throws(DiskFault) in try disk.size(path) }
      guard size != nil else { throw Refusal(.truncated, at: "\(segment.key)", "has no file \(path)") }
    }
  }

  /// What an interrupted staging wanted, if it is still to be had.
  func readInterrupted(into found: inout Contents) {
    guard let version = try? readManifest(wantedPath), found.snapshots[version.sequence] == nil,
      (try? found.state.admit(sequence: version.sequence, digest: version.digest)) != nil
    else { return }
    found.interrupted = version
  }

  func removeLeftovers(_ found: inout Contents) throws(Refusal) {
    try remove(from: directory) { $0 == "state.draft" }
    try remove(from: manifestsPath) { $0.hasSuffix(".draft") }
    try remove(from: segmentsPath) { segmentDigest($0) == nil }
    try removeRefused(&found)
    try removeUnneededSegments(found)
    let parts = found.interrupted?.manifest.segments.map { partPath($0.digest) } ?? []
    let wanted = Set(found.interrupted == nil ? [] : parts + [wantedPath])
    try remove(from: stagingPath) { !wanted.contains("\(stagingPath)/\($0)") }
  }

  private func segmentDigest(_ name: String) -> Digest? {
    name.hasSuffix(".segment") ? Digest(hex: String(name.dropLast(8))) : nil
  }

  /// A crash between remembering a refusal and removing what was refused leaves the manifest.
  private func removeRefused(_ found: inout Contents) throws(Refusal) {
    for version in found.snapshots.values where found.state.refusedVersion(version.digest) != nil {
      try refusing { () throws(DiskFault) in try disk.remove(manifestPath(version.sequence)) }
      found.snapshots[version.sequence] = nil
    }
    found.rebuildChunks()
  }

  /// Not while a manifest is damaged: its segments have no other name, and staging it again will want them.
  func removeUnneededSegments(_ found: Contents) throws(Refusal) {
    guard !found.damaged.contains(where: { $0.path.hasSuffix(".manifest") }) else { return }
    let needed = found.neededSegments
    try remove(from: segmentsPath) { name in
      // Other names are a build's drafts, or leftovers for the next opening.
      guard let digest = segmentDigest(name) else { return false }
      return !needed.contains(digest)
    }
  }

  func remove(from directory: String, where unwanted: (String) -> Bool) throws(Refusal) {
    do throws(DiskFault) {
      for name in try disk.list(directory) where unwanted(name) { try disk.remove("\(directory)/\(name)") }
    } catch { throw Refusal(error) }
  }
}
