internal import Base
internal import Ranking
internal import Snapshots

/// The ranker of a snapshot that is to be built: the given one, else the parent's, else the built-in.
enum RankerChoice {
  /// Its segment's bytes, opened and held to the features that candidates have: a wrong one fails here, on the builder's
  /// desk and before the work, and not on every replica.
  static func bytes(
    _ options: SnapshotBuild.Options, parent: ParentSnapshot?, scratch: ScratchDirectory, disk: any Disk
  ) throws -> [UInt8] {
    if let path = options.rankerPath {
      let bytes = try disk.read(path, limit: BuildDraft.smallByteCountMax)
      try check(
        MappedBytes(copying: bytes), name: path, else: "import or train it with these (`marquee train`)")
      return bytes
    }
    if let parent {
      // Candidates may have got other features since the parent was built.
      let mapped = try parent.snapshot.segment(kind: "ranker", name: "all")
      try check(
        mapped, name: "ranker/all of snapshot \(parent.snapshot.sequence)",
        else: "give one that was trained on these (`--ranker`), or build without a parent")
      return withExtendedLifetime(mapped) { [UInt8](mapped.bytes) }
    }
    let path = scratch.file("ranker", "all")
    try DefaultRanker.parameters.write(to: path)
    return try disk.read(path, limit: BuildDraft.smallByteCountMax)
  }

  private static func check(_ mapped: MappedBytes, name: String, else advice: String) throws {
    let model = try RankerSegment.open(mapped, name: name)
    guard model.features == CandidateFeatures.names else {
      throw Fault(
        .invalidArgument,
        "the ranker \(name) wants the features \(model.features.joined(separator: " ").prefix(512)), "
          + "and candidates have \(CandidateFeatures.names.joined(separator: " ")): \(advice)")
    }
  }
}
