package import Base
internal import Catalogue
package import Features
internal import Ranking
internal import Retrieval
internal import Snapshots

/// Builds a signed snapshot of a catalogue workspace into a library directory.
///
/// Titles lie in a `base` and perhaps a `tail`. A full build puts all into the base. A build with a parent keeps the
/// parent's base byte for byte and puts into the tail what is new or has changed since the base was made; slots of the
/// base whose titles changed or went are dead in the `live` bitmap. When the tail would grow beyond a fifth of the base,
/// the build is a full one. The same workspace, parent, seed and options give the same segments.
package struct SnapshotBuild: Sendable {
  package struct Options: Sendable {
    package var workspace: String
    /// A directory with a snapshot library; made if it isn't there.
    package var output: String
    package var key: PrivateKey
    /// A sequence in the library; `nil` is a full build.
    package var parent: UInt64?
    /// The next free one if `nil`.
    package var sequence: UInt64?
    package var expiryDays = 30
    package var seed: UInt64 = 1
    package var threads = 1
    /// A segment that `train` wrote; the parent's if `nil`, without a parent the readable default.
    package var rankerPath: String?
    /// The parent's if `nil`, without a parent the documented defaults.
    package var features: FeatureDefinitions?
    /// The bytes of the policy segment; the parent's if `nil`.
    package var policy: [UInt8]?
    package var description = ""
    /// The tail's share of the base above which a full build is made.
    package var tailShareMax = 0.2

    package init(workspace: String, output: String, key: PrivateKey) {
      self.workspace = workspace
      self.output = output
      self.key = key
    }
  }

  package enum Step: String, Sendable, CaseIterable {
    case titles, interactions, space, index, statistics, neighbours, golden, sign
  }

  package struct Progress: Sendable, Equatable {
    package var step: Step
    /// 0 to 1, of this step.
    package var share: Double
  }

  let options: Options
  let disk: any Disk
  let time: any TimeSource
  let progress: @Sendable (Progress) -> Void

  package init(
    _ options: Options, disk: any Disk = SystemDisk(), time: any TimeSource = SystemTime(),
    progress: @escaping @Sendable (Progress) -> Void = { _ in }
  ) {
    self.options = options
    self.disk = disk
    self.time = time
    self.progress = progress
  }

  /// Throws a ``Base/Fault``, ``Base/Refusal``, ``Base/DiskFault`` or ``Catalogue/CatalogueFault``, each of which says
  /// what to do. The library is then as it was.
  package func run() throws -> BuildReport {
    let library = try SnapshotLibrary(
      directory: options.output, disk: disk, trusted: [options.key.publicKey])
    let workspace = try Workspace(path: options.workspace)
    let parent = try options.parent.map { try ParentSnapshot(library.open($0)) }
    let sequence = try nextSequence(in: library)
    let scratch = try ScratchDirectory("\(options.output)/building", disk: disk)
    let ranker = try RankerChoice.bytes(options, parent: parent, scratch: scratch, disk: disk)
    var draft = try titles(of: workspace, parent: parent, scratch: scratch)
    try draft.addSmallSegments(options, ranker: ranker, defaults: parent, scratch: scratch)
    report(.sign, 0)
    let version = try sign(draft, sequence: sequence, parent: parent, workspace: workspace, library: library)
    report(.sign, 1)
    return BuildReport(
      version, parent: parent?.snapshot.version, isFull: draft.isFull, tailCount: draft.tailCount,
      index: draft.index)
  }

  private func nextSequence(in library: SnapshotLibrary) throws(Fault) -> UInt64 {
    let newest = max(library.snapshots.last?.sequence ?? 0, library.state.floor?.sequence ?? 0)
    let sequence = options.sequence ?? newest + 1
    guard sequence > newest else {
      throw Fault(
        .failedPrecondition, "sequence \(sequence) is not above \(newest), which is in \(options.output)")
    }
    return sequence
  }

  func report(_ step: Step, _ share: Double) { progress(Progress(step: step, share: share)) }

  private func sign(
    _ draft: BuildDraft, sequence: UInt64, parent: ParentSnapshot?, workspace: Workspace,
    library: SnapshotLibrary
  ) throws -> VerifiedManifest {
    let now = time.now
    guard (1...3650).contains(options.expiryDays) else {
      throw Fault(.invalidArgument, "a snapshot expires after 1 to 3650 days, not \(options.expiryDays)")
    }
    let manifest = Manifest(
      sequence: sequence, parentSequence: parent?.snapshot.sequence ?? 0,
      parentDigest: parent?.snapshot.digest,
      created: now, expires: now.advanced(bySeconds: Int64(options.expiryDays) * 86_400),
      space: draft.space, model: try version("ranker", draft),
      features: try version("features", draft), policy: try version("policy", draft),
      titleCount: UInt64(draft.liveCount), description: options.description,
      isSynthetic: workspace.manifest.synthetic)
    let progress = progress
    return try SnapshotBuilder(library: library, key: options.key).build(manifest, from: draft.sources) {
      progress(
        Progress(step: .sign, share: $0.bytesTotal == 0 ? 1 : Double($0.bytesDone) / Double($0.bytesTotal)))
    }
  }

  /// Versions are the first digits of the segment's digest: equal bytes have equal names.
  private func version(_ kind: String, _ draft: BuildDraft) throws -> String {
    guard let source = draft.sources.first(where: { $0.kind == kind }) else {
      preconditionFailure("a draft has a segment of kind \(kind)")
    }
    return Digest(of: try disk.read(source.path, limit: BuildDraft.smallByteCountMax)).short
  }
}
