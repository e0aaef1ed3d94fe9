package import Base
internal import CKernels

/// The index of a whole generation: one part, or a base and its tail, searched as one.
package struct PartitionedIndex: Sendable {
  struct Part: Sendable {
    var index: VectorIndex
    var vectors: Vectors
    /// The first ordinal of the part in the generation.
    var first: UInt32
  }

  package let count: Int
  package let dimensions: Int
  /// Lists that a search looks into unless it says otherwise.
  package let probes: Int
  package let listCount: Int
  let parts: [Part]

  /// Below this many titles all are scored: it takes no longer than finding out which need not be.
  package static let exactCountMax = 10_000
  /// When a filter lets no more than this pass, they are scored one by one: at 30 ns each, no slower than looking into
  /// the many lists that they are spread over.
  package static let filteredExactCountMax = 16_000

  /// At least one part. Parts after the first are built around the first one's centroids.
  package init(_ pairs: [(index: VectorIndex, vectors: Vectors)]) throws(Refusal) {
    guard let base = pairs.first?.index else { throw Refusal(.unreadable, at: "index", "has no part") }
    let vectors = try PartitionedVectors(pairs.map(\.vectors))
    for (index, vectors) in pairs {
      guard index.count == vectors.count, index.dimensions == vectors.dimensions else {
        throw Refusal(
          .unreadable, at: index.name,
          "has \(index.count) titles of \(index.dimensions) dimensions, and \(vectors.name) \(vectors.count) of \(vectors.dimensions)"
        )
      }
      guard index.sharesCentroids(with: base) else {
        throw Refusal(.unreadable, at: index.name, "was not built around the centroids of \(base.name)")
      }
    }
    parts = zip(pairs, vectors.firsts).map {
      Part(index: $0.index, vectors: $0.vectors, first: UInt32($1))
    }
    count = vectors.count
    dimensions = base.dimensions
    probes = base.probes
    listCount = base.listCount
  }

  /// Finds the `k` titles with the largest inner product with `query`, best first, into `scratch`.
  ///
  /// - Parameters:
  ///   - query: `dimensions` floats, not all of which need be finite: then nothing is found.
  ///   - k: at most ``Base/Limits/candidateCountMax``.
  ///   - probes: lists to look into; the index's own number, tuned at build, if `nil`. More are looked into when a
  ///     filter lets only a part pass, and while there are fewer than twice k.
  ///   - allowed: which ordinals may be returned; all if `nil`.
  ///   - deadline: what has been found by then is returned, and marked partial. Looked at every 50 µs or sooner.
  package func search(
    _ query: UnsafeBufferPointer<Float>, k: Int = 500, probes: Int? = nil, allowed: OrdinalFilter? = nil,
    deadline: Instant = .distantFuture, time: any TimeSource, scratch: SearchScratch
  ) -> SearchOutcome {
    precondition(query.count == dimensions, "a query has the index's dimensions")
    precondition(k >= 0 && k <= Limits.candidateCountMax, "k has a limit")
    if let allowed { precondition(allowed.bitCount >= count, "a filter speaks of every title") }
    guard let start = query.baseAddress, k > 0, query.allSatisfy(\.isFinite) else { return SearchOutcome() }
    var search = Search(
      index: self, query: start, k: k, allowed: allowed, deadline: deadline, time: time, scratch: scratch)
    if count <= Self.exactCountMax {
      search.scoreAll()
    } else if let allowed, allowed.allowedCount <= Self.filteredExactCountMax {
      search.scoreAllowed(allowed)
    } else {
      search.probe(probes ?? self.probes)
    }
    return search.finish()
  }
}
