internal import Base
internal import Catalogue
internal import Features
internal import Ranking
internal import Retrieval
internal import Snapshots

/// The segment files of a snapshot that is being built, and what is known of them.
struct BuildDraft {
  var sources: [SnapshotBuilder.Source] = []
  var isFull: Bool
  var tailCount: Int
  var liveCount: Int
  /// The name of the space that the vectors are in.
  var space = ""
  /// `nil` when the base's index is the parent's and there is no tail.
  var index: IndexSummary?
  private let disk: any Disk

  /// Of a ranker, features or policy: 5 layers of 4,096 outputs would be 256 MB, nobody has had one of 64.
  static let smallByteCountMax = 64 << 20

  init(isFull: Bool, tailCount: Int, liveCount: Int, disk: any Disk) {
    self.isFull = isFull
    self.tailCount = tailCount
    self.liveCount = liveCount
    self.disk = disk
  }

  mutating func add(_ kind: String, _ name: String, _ path: String) {
    sources.append(.init(kind: kind, name: name, path: path))
  }

  /// Ranker, features and policy: given ones, or the last known, or defaults.
  mutating func addSmallSegments(
    _ options: SnapshotBuild.Options, ranker: [UInt8], defaults parent: ParentSnapshot?,
    scratch: ScratchDirectory
  ) throws {
    let rankerPath = scratch.file("ranker", "all")
    try disk.writeDurably(ranker, to: rankerPath)
    add("ranker", "all", rankerPath)

    let features = scratch.file("features", "all")
    if let definitions = options.features {
      try definitions.validate()
      try disk.writeDurably(definitions.bytes, to: features)
    } else if let parent {
      try parent.write("features", "all", to: features, disk: disk)
    } else {
      try disk.writeDurably(FeatureDefinitions().bytes, to: features)
    }
    add("features", "all", features)

    let policy = scratch.file("policy", "all")
    if let bytes = options.policy {
      try disk.writeDurably(bytes, to: policy)
    } else if let parent {
      try parent.write("policy", "all", to: policy, disk: disk)
    } else {
      throw Fault(.invalidArgument, "a first snapshot needs a policy: name its file")
    }
    add("policy", "all", policy)
  }
}
