package import Base
internal import CKernels

/// The index of a whole generation: one part, or a base and its tail, searched as one.
package struct PartitionedIndex: Sendable {
  struct Part: Sendable {
    var index: VectorIndex
    /// `nil` only where nothing is scored exactly: while an index is tuned.
    var vectors: Vectors?
    /// The first ordinal of the part in the generation.
    var first: UInt32
  }

  package let count: Int
  package let dimensions: Int
  /// What a search does unless it says otherwise.
  package let effort: SearchEffort
  package let listCount: Int
  let parts: [Part]

  /// Below this many titles all are scored: it takes no longer than finding out which need not be.
  package static let exactCountMax = 5_000
  /// When a filter lets no more than this pass, they are scored one by one: at 25 ns each, no slower than summing the codes
  /// of the many lists that they are spread over.
  package static let filteredExactCountMax = 4_000

  /// At least one part. Parts after the first are built around the first one's centroids.
  package init(_ pairs: [(index: VectorIndex, vectors: Vectors)]) throws(Refusal) {
    guard let base = pairs.first?.index else { throw Refusal(.unreadable, at: "index", "has no part") }
    guard base.coded != nil else { throw Refusal(.unreadable, at: base.name, "is a tail, and stands first") }
    let vectors = try PartitionedVectors(pairs.map(\.vectors))
    for (index, vectors) in pairs {
      guard index.count == vectors.count, index.dimensions == vectors.dimensions else {
        throw Refusal(
          .unreadable, at: index.name,
          "has \(index.count) titles of \(index.dimensions) dimensions, and \(vectors.name) \(vectors.count) of \(vectors.dimensions)"
        )
      }
    }
    for (index, _) in pairs.dropFirst() {
      guard index.coded == nil, index.digest == base.digest, index.listCount == base.listCount else {
        throw Refusal(.unreadable, at: index.name, "was not built around the centroids of \(base.name)")
      }
    }
    parts = zip(pairs, vectors.firsts).map {
      Part(index: $0.index, vectors: $0.vectors, first: UInt32($1))
    }
    count = vectors.count
    dimensions = base.dimensions
    effort = base.effort
    listCount = base.listCount
  }

  /// One base without its vectors, to be tuned: it must not refine.
  init(alone index: VectorIndex) {
    parts = [Part(index: index, vectors: nil, first: 0)]
    count = index.count
    dimensions = index.dimensions
    effort = index.effort
    listCount = index.listCount
  }

  /// Finds the `k` titles with the largest inner product with `query`, best first, into `scratch`.
  ///
  /// - Parameters:
  ///   - query: `dimensions` floats, not all of which need be finite: then nothing is found.
  ///   - k: at most ``Base/Limits/candidateCountMax``.
  ///   - effort: the index's own, tuned at build, if `nil`. More lists are looked into when a filter lets only a part
  ///     pass and while there are fewer candidates than are kept, fewer for a smaller k.
  ///   - allowed: which ordinals may be returned; all if `nil`.
  ///   - deadline: what has been found by then is returned, and marked partial. Looked at every 50 µs or sooner.
  package func search(
    _ query: UnsafeBufferPointer<Float>, k: Int = 500, effort: SearchEffort? = nil,
    allowed: OrdinalFilter? = nil,
    deadline: Instant = .distantFuture, time: any TimeSource, scratch: SearchScratch
  ) -> SearchOutcome {
    precondition(query.count == dimensions, "a query has the index's dimensions")
    precondition(k >= 0 && k <= Limits.candidateCountMax, "k has a limit")
    if let allowed {
      precondition(allowed.bitCount >= count, "a filter speaks of every title")
      precondition(
        allowed.placed?.digest ?? parts[0].index.digest == parts[0].index.digest, "and of this index")
    }
    guard let start = query.baseAddress, k > 0, Self.areFinite(query) else { return SearchOutcome() }
    let clock = SearchClock(deadline: deadline, time: time)
    let isSmall = count <= Self.exactCountMax && parts[0].vectors != nil
    let isNarrow = allowed.map { $0.allowedCount <= Self.filteredExactCountMax } ?? false
    if !isSmall, !isNarrow,
      var search = Search(
        index: self, query: start, k: k, effort: effort ?? self.effort, allowed: allowed, clock: clock,
        scratch: scratch)
    {
      return search.run()
    }
    var search = ExactSearch(
      index: self, query: start, k: k, allowed: allowed, clock: clock, scratch: scratch)
    if let allowed, !isSmall { search.scoreAllowed(allowed) } else { search.scoreAll() }
    return search.finish()
  }

  /// Without a branch for each, as `allSatisfy` has.
  private static func areFinite(_ values: UnsafeBufferPointer<Float>) -> Bool {
    var largest: UInt32 = 0
    for value in values { largest = max(largest, value.bitPattern & 0x7fff_ffff) }
    return largest < Float.infinity.bitPattern
  }

  /// A filter's bits in the order of the index, for ``OrdinalFilter/placed``; `nil` where all is searched exactly anyway.
  ///
  /// `words` has a bit for each of `count` ordinals.
  package func placed(_ words: UnsafePointer<UInt64>) -> PlacedFilter? {
    count > Self.exactCountMax ? PlacedFilter(words, of: self) : nil
  }

  /// Has the results' vectors fetched into the cache, for whoever reads them next: a search by codes and rows leaves them
  /// where they are, and 500 of them one after the other are 500 misses.
  package func prefetch(_ ordinals: UnsafeBufferPointer<UInt32>) {
    for part in parts {
      guard let vectors = part.vectors, let rows = vectors.base else { continue }
      for ordinal in ordinals where ordinal >= part.first && Int(ordinal - part.first) < vectors.count {
        mk_prefetch_bytes(rows + Int(ordinal - part.first) * vectors.rowStride, vectors.rowStride * 2)
      }
    }
  }
}
