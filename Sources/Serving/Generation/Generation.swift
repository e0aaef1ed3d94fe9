package import Base
package import Catalogue
package import Features
package import Ranking
package import Retrieval
package import Snapshots

/// A snapshot opened for serving: every segment checked, the golden queries answered, the first pages warm. Immutable
/// but for its caches; whoever holds it may read it from any thread, and it stays mapped as long as anyone does.
///
/// Everything in one reply comes from one generation, so nothing here refers to another.
package final class Generation: Sendable {
  package let name: SnapshotName
  package let digest: Digest
  package let catalogue: CatalogueView
  package let vectors: PartitionedVectors
  package let index: PartitionedIndex
  /// What was watched by the same people; `nil` in a snapshot that doesn't say.
  package let neighbours: TitleNeighbours?
  package let ranker: any Ranker
  package let features: FeatureDefinitions
  package let policy: Policy
  package let audiences: Audiences
  /// The policy's pins that name a title of this generation, by row.
  let pins: [String: [Pin]]
  /// The policy's editorial lists, of titles of this generation.
  private let editorial: [(ordinals: [UInt32], surfaces: [String])]
  let trending: TrendingCache
  /// How much of the exact answer its searches find, where that is measured.
  package let recall: RecallTally

  /// A pin whose title was found.
  struct Pin: Sendable {
    var ordinal: UInt32
    var position: Int
    /// Empty is every surface.
    var surface: String
  }

  package var sequence: UInt64 { name.sequence }

  /// Opens, checks and warms. `audiences` are those that the generation before it served, so that the first requests
  /// find theirs made; see ``Audiences/keys``.
  package static func open(
    _ snapshot: OpenSnapshot, time: any TimeSource, audiences: [Audiences.Key] = []
  ) throws(Refusal) -> Generation {
    let generation = try Generation(snapshot)
    try generation.answerGoldenQueries(try snapshot.segment(kind: "golden", name: "all"), time: time)
    generation.warm(audiences, time: time)
    return generation
  }

  private init(_ snapshot: OpenSnapshot) throws(Refusal) {
    let manifest = snapshot.manifest
    let parts = try Parts(snapshot)
    catalogue = parts.catalogue
    vectors = parts.vectors
    index = parts.index
    neighbours = parts.neighbours
    ranker = parts.ranker
    features = parts.features
    policy = parts.policy
    digest = snapshot.digest
    name = SnapshotName(
      sequence: snapshot.sequence, digest: snapshot.digest.hex, space: manifest.space, model: manifest.model,
      features: manifest.features, policy: manifest.policy)
    audiences = Audiences(catalogue, index: index)
    trending = TrendingCache()
    recall = RecallTally(target: parts.index.recallAtBuild)
    let view = parts.catalogue
    var pins: [String: [Pin]] = [:]
    // A pin may name a title that comes later or has gone: it waits, and harms nothing.
    for pin in policy.pins {
      guard let ordinal = view.ordinal(ofID: pin.titleID) else { continue }
      pins[pin.rowID, default: []].append(
        Pin(ordinal: ordinal, position: pin.position, surface: pin.surface))
    }
    self.pins = pins
    editorial = policy.editorial.map { list in
      (list.titleIDs.compactMap { view.ordinal(ofID: $0) }, list.surfaces)
    }
  }

  /// The editorial lists of a surface, each in its editors' order.
  func editorial(on surface: String) -> [[UInt32]] {
    editorial.filter { $0.surfaces.isEmpty || $0.surfaces.contains(surface) }.map(\.ordinals)
  }
}
