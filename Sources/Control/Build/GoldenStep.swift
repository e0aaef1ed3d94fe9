internal import Base
internal import Catalogue
internal import Ranking
internal import Retrieval
internal import Snapshots

/// Asks the index that was just built the questions that every replica must answer in the same way.
///
/// A question is a few titles that one profile liked, or one title when nobody liked any.
struct GoldenStep {
  var catalogue: CatalogueView
  var live: Bitmap
  var vectors: PartitionedVectors
  var index: PartitionedIndex
  var interactions: InteractionTable
  var seed: UInt64
  var time: any TimeSource

  private static let watchedCountMax = 5

  /// Throws a ``Base/Fault`` when no title has a vector: such a snapshot could retrieve nothing.
  func queries() throws(Fault) -> [GoldenQueries.Query] {
    var random = SplitMix(seed: seed ^ 0x901d_e4)
    let scratch = SearchScratch()
    var queries: [GoldenQueries.Query] = []
    // Titles without a vector give no question; enough others do, unless something is wrong with all of them.
    for _ in 0..<(GoldenQueries.queryCountMax * 16) where queries.count < GoldenQueries.queryCountMax {
      let watched = watched(using: &random)
      let found = nearest(to: watched, scratch: scratch)
      guard !watched.isEmpty, !found.isEmpty else { continue }
      queries.append(
        GoldenQueries.Query(watched: watched.map(catalogue.id), expected: found.map(catalogue.id)))
    }
    guard !queries.isEmpty else {
      throw Fault(.failedPrecondition, "no title has a vector: give the titles texts, or import interactions")
    }
    return queries
  }

  private func watched(using random: inout SplitMix) -> [UInt32] {
    if interactions.profileCount > 0 {
      let profile = Int.random(in: 0..<interactions.profileCount, using: &random)
      var liked: [UInt32] = []
      for row in interactions.rows(of: profile).reversed() where row.interest >= 0.5 {
        if liked.count < Self.watchedCountMax, !liked.contains(row.ordinal), live[Int(row.ordinal)] {
          liked.append(row.ordinal)
        }
      }
      if !liked.isEmpty { return liked }
    }
    guard live.count > 0 else { return [] }
    let ordinal = Int.random(in: 0..<live.count, using: &random)
    return live[ordinal] ? [UInt32(ordinal)] : []
  }

  /// As a replica does it: the unit mean, the ten nearest live titles at the index's own settings.
  private func nearest(to watched: [UInt32], scratch: SearchScratch) -> [UInt32] {
    var query = [Float](repeating: 0, count: vectors.dimensions)
    let hasDirection = query.withUnsafeMutableBufferPointer { sum in
      for ordinal in watched { vectors.add(ordinal, weight: 1, to: sum) }
      return ProfileVector.normalise(sum)
    }
    guard hasDirection else { return [] }
    return live.words.withUnsafeBufferPointer { words in
      guard let start = words.baseAddress else { return [] }
      let filter = OrdinalFilter(words: start, bitCount: live.count, allowedCount: catalogue.liveCount)
      let outcome = query.withUnsafeBufferPointer {
        index.search(
          $0, k: GoldenQueries.expectedCountMax, allowed: filter, time: time, scratch: scratch)
      }
      return Array(scratch.ordinals[0..<outcome.count])
    }
  }
}
