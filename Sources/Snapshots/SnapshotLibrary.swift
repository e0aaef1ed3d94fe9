package import Base
internal import Synchronization

/// Owns the snapshots on one disk: segments by their digest, manifests by their sequence, and the state beside them.
///
///     DIR/segments/<sha256>.segment      complete and verified
///     DIR/staging/<sha256>.part          being fetched; its truth is its content
///     DIR/staging/wanted.manifest        what is being staged, a signed file: says after a crash whose the parts are
///     DIR/manifests/<sequence>.manifest  a signed file; written last, so that a half snapshot never exists
///     DIR/state                          see LibraryState
///
/// One process at a time owns a directory; others open it with `isReadOnly`. Every read from the disk is verified:
/// manifests by signature when the library opens, segments by digest when a snapshot opens, once as long as nobody
/// writes to their files.
package final class SnapshotLibrary: Sendable {
  package let directory: String
  package let trusted: [PublicKey]
  package let isReadOnly: Bool
  let disk: any Disk
  let contents: Mutex<Contents>

  struct Contents: Sendable {
    var state = LibraryState()
    /// The state as it is on the disk; `nil` when it is not there.
    var savedState: LibraryState?
    var snapshots: [UInt64: VerifiedManifest] = [:]
    var damaged: [DamagedFile] = []
    var chunks: [Digest: ChunkPlace] = [:]
    /// Segments whose every chunk was verified. One whose file is still the same isn't hashed again.
    var verified: [Digest: VerifiedFile] = [:]
    /// Segments mapped to serve chunks from.
    var mapped: [Digest: MappedBytes] = [:]
    /// Segments that a staging or a build counts on, by its ticket.
    var holds: [Int: Set<Digest>] = [:]
    var ticket = 0
    /// The ticket of the staging that goes on; a newer one takes the place of the older.
    var staging: Int?
    /// What was being staged when the process before this one ended.
    var interrupted: VerifiedManifest?
  }

  /// A file of which every byte was verified, by which chunks, and its mapping while a snapshot has it open.
  struct VerifiedFile: Sendable {
    var version: FileVersion
    var chunks: [Manifest.Chunk]
    weak var mapped: MappedBytes?

    func isOf(_ segment: Manifest.Segment, in file: FileVersion?) -> Bool {
      version == file && chunks == segment.chunks
    }
  }

  /// Where a chunk lies in a complete segment.
  struct ChunkPlace: Sendable {
    var segment: Digest
    var offset: Int
    var byteCount: Int
  }

  /// A file that could not be read as what it should be, left where it is.
  package struct DamagedFile: Sendable, Equatable {
    package var path: String
    package var refusal: Refusal

    package init(path: String, refusal: Refusal) {
      self.path = path
      self.refusal = refusal
    }
  }

  /// Opens the directory, makes it if it isn't there, and removes leftovers: drafts, parts that no
  /// interrupted staging wants, segments that no manifest names (unless one is damaged: then they may be its own).
  ///
  /// A damaged state file is set aside as `state.damaged` and the state made again as its loss is least harmful: the
  /// floor is the highest sequence on the disk, nothing is announced (the control node, or an operator, says what to
  /// serve), and refused versions are forgotten (they are verified and refused once more). ``damaged`` names it.
  package init(
    directory: String, disk: any Disk, trusted: [PublicKey], isReadOnly: Bool = false
  ) throws(Refusal) {
    self.directory = directory
    self.disk = disk
    self.trusted = trusted
    self.isReadOnly = isReadOnly
    contents = Mutex(Contents())
    if !isReadOnly {
      for path in [segmentsPath, stagingPath, manifestsPath] {
        try refusing { () throws(DiskFault) in try disk.createDirectory(path) }
      }
    }
    var found = Contents()
    try readState(into: &found)
    try readManifests(into: &found)
    readInterrupted(into: &found)
    found.rebuildChunks()
    if !isReadOnly { try removeLeftovers(&found) }
    contents.withLock { $0 = found }
  }

  /// Complete snapshots, oldest first.
  package var snapshots: [VerifiedManifest] {
    contents.withLock { $0.snapshots.values.sorted { $0.sequence < $1.sequence } }
  }

  package var state: LibraryState { contents.withLock { $0.state } }

  /// What was found damaged when the library opened, for `status`.
  package var damaged: [DamagedFile] { contents.withLock { $0.damaged } }

  /// What was being staged when the process before this one ended: its chunks are still here.
  package var interrupted: VerifiedManifest? { contents.withLock { $0.interrupted } }

  package func snapshot(_ sequence: UInt64) -> VerifiedManifest? {
    contents.withLock { $0.snapshots[sequence] }
  }

  /// Everything that a manifest must pass before anything of it is fetched; see ``VerifiedManifest``. Also refuses, as
  /// `sequenceConflict`, a sequence that is on the disk with another digest.
  package func verify(_ envelope: SignedBytes, now: Timestamp) throws(Refusal) -> VerifiedManifest {
    let version = try VerifiedManifest(envelope, trusted: trusted, now: now, state: state)
    try admit(version)
    return version
  }

  func admit(_ version: VerifiedManifest) throws(Refusal) {
    try contents.withLock { (contents) throws(Refusal) in
      if let known = contents.snapshots[version.sequence], known.digest != version.digest {
        throw Refusal(
          .sequenceConflict, at: "manifest sequence",
          "\(version.sequence) is on the disk as \(known.digest.short), this one is \(version.digest.short)")
      }
      try contents.state.admit(sequence: version.sequence, digest: version.digest)
    }
  }

  var segmentsPath: String { "\(directory)/segments" }
  var stagingPath: String { "\(directory)/staging" }
  var manifestsPath: String { "\(directory)/manifests" }
  var statePath: String { "\(directory)/state" }
  func segmentPath(_ digest: Digest) -> String { "\(segmentsPath)/\(digest.hex).segment" }
  func partPath(_ digest: Digest) -> String { "\(stagingPath)/\(digest.hex).part" }
  var wantedPath: String { "\(stagingPath)/wanted.manifest" }
  func manifestPath(_ sequence: UInt64) -> String { "\(manifestsPath)/\(sequence).manifest" }

  func requireWritable() throws(Refusal) {
    guard !isReadOnly else { throw Refusal(.diskError, at: directory, "is open for reading only") }
  }
}

extension SnapshotLibrary.Contents {
  /// Segments that must stay: those that a snapshot names, and those that a staging or a build counts on.
  var neededSegments: Set<Digest> {
    var needed = holds.values.reduce(into: Set<Digest>()) { $0.formUnion($1) }
    for version in snapshots.values + [interrupted].compactMap(\.self) {
      needed.formUnion(version.manifest.segments.map(\.digest))
    }
    return needed
  }

  mutating func rebuildChunks() {
    chunks = [:]
    for snapshot in snapshots.values { addChunks(of: snapshot.manifest) }
    let needed = neededSegments
    mapped = mapped.filter { needed.contains($0.key) }
    verified = verified.filter { needed.contains($0.key) }
  }

  mutating func addChunks(of manifest: Manifest) {
    for segment in manifest.segments {
      for span in segment.spans(index: 0) {
        chunks[span.chunk.digest] = SnapshotLibrary.ChunkPlace(
          segment: segment.digest, offset: span.offset, byteCount: Int(span.chunk.byteCount))
      }
    }
  }

  /// What is on the disk and was not withdrawn raises the floor: a manifest is durable before the state is.
  mutating func raiseFloorToSnapshots() {
    for version in snapshots.values where version.sequence > state.withdrawnThrough {
      guard state.refusedVersion(version.digest) == nil else { continue }
      state.raiseFloor(to: .init(sequence: version.sequence, digest: version.digest))
    }
  }
}
