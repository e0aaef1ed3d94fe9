internal import Base
internal import Catalogue
internal import Features
internal import Ranking
internal import Retrieval
internal import Snapshots

/// The segments of a snapshot, each opened by the room that knows its meaning, and checked against one another.
///
/// `catalogue`, `vectors` and `index` have a `base` and perhaps a `tail`; of the others there is one, `all`.
struct Parts {
  let catalogue: CatalogueView
  let vectors: PartitionedVectors
  let index: PartitionedIndex
  let neighbours: TitleNeighbours?
  let ranker: any Ranker
  let features: FeatureDefinitions
  let policy: Policy

  init(_ snapshot: OpenSnapshot) throws(Refusal) {
    let names = try Self.partNames(snapshot)
    catalogue = try Self.catalogue(snapshot, names)
    (vectors, index) = try Self.index(snapshot, names)
    guard vectors.count == catalogue.count else {
      throw Refusal(
        .unreadable, at: "vectors/base",
        "and its tail have \(vectors.count) vectors for a catalogue of \(catalogue.count) ordinals")
    }
    guard UInt64(catalogue.liveCount) == snapshot.manifest.titleCount else {
      throw Refusal(
        .unreadable, at: "statistics/all",
        "has \(catalogue.liveCount) live titles, and the manifest \(snapshot.manifest.titleCount)")
    }
    neighbours = try Self.neighbours(snapshot, catalogue)
    ranker = try RankerSegment.open(try snapshot.segment(kind: "ranker", name: "all"), name: "ranker/all")
    guard ranker.features == CandidateFeatures.names else {
      throw Refusal(
        .unreadable, at: "ranker/all",
        "wants the features \(ranker.features.prefix(32).joined(separator: " ").prefix(512)), "
          + "this reader makes \(CandidateFeatures.names.joined(separator: " "))")
    }
    let definitions = try snapshot.segment(kind: "features", name: "all")
    guard definitions.count <= FeatureDefinitions.byteCountMax else {
      throw Refusal(.limitExceeded, at: "features/all", "has \(definitions.count) bytes")
    }
    features = try FeatureDefinitions(bytes: [UInt8](definitions.bytes))
    policy = try Policy.decode(try snapshot.segment(kind: "policy", name: "all").bytes)
  }

  /// `base`, or `base` and `tail`: the same for the three kinds that have parts.
  private static func partNames(_ snapshot: OpenSnapshot) throws(Refusal) -> [String] {
    let names = snapshot.segments(kind: "catalogue").map(\.name).sorted()
    guard names == ["base"] || names == ["base", "tail"] else {
      throw Refusal(.unreadable, at: "catalogue", "has other parts than base and tail")
    }
    for kind in ["vectors", "index"] where snapshot.segments(kind: kind).map(\.name).sorted() != names {
      throw Refusal(.unreadable, at: kind, "has other parts than the catalogue")
    }
    return names
  }

  private static func catalogue(
    _ snapshot: OpenSnapshot, _ names: [String]
  ) throws(Refusal) -> CatalogueView {
    var parts: [CataloguePart] = []
    for name in names {
      parts.append(
        try CataloguePart(
          opening: try snapshot.segment(kind: "catalogue", name: name), name: "catalogue/\(name)"))
    }
    let stat = try CatalogueStat(
      opening: try snapshot.segment(kind: "statistics", name: "all"), name: "statistics/all")
    return try CatalogueView(base: parts[0], tail: parts.count > 1 ? parts[1] : nil, stat: stat)
  }

  /// A base, and a tail where anything has become of it; what is left out has no neighbours.
  private static func neighbours(
    _ snapshot: OpenSnapshot, _ catalogue: CatalogueView
  ) throws(Refusal) -> TitleNeighbours? {
    let names = snapshot.segments(kind: "neighbours").map(\.name).sorted()
    guard !names.isEmpty else { return nil }
    guard names == ["base"] || names == ["base", "tail"] else {
      throw Refusal(.unreadable, at: "neighbours", "has other parts than base and tail")
    }
    let base = try NeighbourBase.open(
      try snapshot.segment(kind: "neighbours", name: "base"), name: "neighbours/base")
    var tail: NeighbourTail?
    if names.count > 1 {
      tail = try NeighbourTail(
        opening: try snapshot.segment(kind: "neighbours", name: "tail"), name: "neighbours/tail")
    }
    let neighbours = try TitleNeighbours(base: base, tail: tail)
    guard neighbours.baseCount == catalogue.base.count, neighbours.titleCount == catalogue.count else {
      throw Refusal(
        .unreadable, at: "neighbours/base",
        "and its tail have \(neighbours.baseCount) and \(neighbours.titleCount - neighbours.baseCount) titles for a "
          + "catalogue of \(catalogue.base.count) and \(catalogue.count - catalogue.base.count)")
    }
    return neighbours
  }

  private static func index(
    _ snapshot: OpenSnapshot, _ names: [String]
  ) throws(Refusal) -> (PartitionedVectors, PartitionedIndex) {
    var pairs: [(index: VectorIndex, vectors: Vectors)] = []
    for name in names {
      let vectors = try Vectors(
        opening: try snapshot.segment(kind: "vectors", name: name), name: "vectors/\(name)")
      let index = try VectorIndex(
        opening: try snapshot.segment(kind: "index", name: name), name: "index/\(name)")
      pairs.append((index, vectors))
    }
    return (try PartitionedVectors(pairs.map(\.vectors)), try PartitionedIndex(pairs))
  }
}
