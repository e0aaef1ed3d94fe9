internal import Base
internal import Catalogue
internal import Ranking
internal import Retrieval
internal import Snapshots

/// The snapshot that a build goes on from, opened.
struct ParentSnapshot {
  let snapshot: OpenSnapshot
  let base: CataloguePart
  let vectors: Vectors
  let index: VectorIndex

  init(_ snapshot: OpenSnapshot) throws(Refusal) {
    self.snapshot = snapshot
    base = try CataloguePart(
      opening: try snapshot.segment(kind: "catalogue", name: "base"), name: "catalogue/base")
    vectors = try Vectors(opening: try snapshot.segment(kind: "vectors", name: "base"), name: "vectors/base")
    index = try VectorIndex(opening: try snapshot.segment(kind: "index", name: "base"), name: "index/base")
    guard vectors.count == base.count, index.count == base.count else {
      throw Refusal(
        .unreadable, at: "vectors/base", "has \(vectors.count) titles where the catalogue has \(base.count)")
    }
  }

  /// The base's lists of who watched the same; `nil` in a snapshot from before there were any.
  func neighbours() throws(Refusal) -> NeighbourLists? {
    guard snapshot.segments(kind: "neighbours").contains(where: { $0.name == "base" }) else { return nil }
    let lists = try NeighbourBase.open(
      try snapshot.segment(kind: "neighbours", name: "base"), name: "neighbours/base")
    guard lists.count == base.count else {
      throw Refusal(
        .unreadable, at: "neighbours/base",
        "has \(lists.count) titles where the catalogue has \(base.count)")
    }
    return lists
  }

  /// Writes a segment of the parent out again: the builder finds its digest in the library and shares the file.
  func write(_ kind: String, _ name: String, to path: String, disk: any Disk) throws {
    let mapped = try snapshot.segment(kind: kind, name: name)
    try withExtendedLifetime(mapped) { try disk.write(mapped.bytes, to: path, at: 0) }
  }
}
