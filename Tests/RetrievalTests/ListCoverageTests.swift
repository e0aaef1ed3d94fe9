import Base
import CKernels
import Testing

@testable import Retrieval

@Suite("List coverage")
struct ListCoverageTests {
  private static let dimensions = 16
  private static let values = clustered(6000, dimensions: dimensions, clusters: 60)
  private static let built = Result { try Built(values, dimensions: dimensions) }

  @Test("a list's spread is the root of the mean square of its residuals")
  func spreads() throws {
    let index = try Self.built.get().parts[0].index
    let (spreads, centroids) = (try #require(index.coded).spreads, try #require(index.centroids).values)
    for list in 0..<index.listCount {
      let ordinals = (index.offsets[list]..<index.offsets[list + 1]).map { Int(index.ordinals[Int($0)]) }
      var square: Float = 0
      for ordinal in ordinals {
        for dimension in 0..<Self.dimensions {
          let value = Self.values[ordinal * Self.dimensions + dimension]
          square +=
            (value - centroids[list * Self.dimensions + dimension])
            * (value - centroids[list * Self.dimensions + dimension])
        }
      }
      #expect(abs(spreads[list] - (square / Float(max(1, ordinals.count))).squareRoot()) < 0.001)
    }
  }

  @Test("more lists take more reach, and a search that reaches so far looks into about as many")
  func reaches() throws {
    let built = try Self.built.get()
    let queries = profiles(Self.values, dimensions: Self.dimensions, count: 20)
    let coverage = ListCoverage.best(
      built.parts[0].index, queries: queries.flatMap { $0 },
      truth: queries.map { query in keys(built.truth(query, k: 100), query, built) })
    let reaches = [1, 4, 10, 20, 40].map { coverage.reach(lists: $0) }
    #expect(reaches == reaches.sorted() && Set(reaches).count == 5)
    #expect(coverage.reach(lists: .max / 64) == coverage.reach(lists: built.index.listCount))
    var index = built.parts[0].index
    index.spreadWeight = coverage.spreadWeight
    let (alone, scratch) = (PartitionedIndex(alone: index), SearchScratch())
    for lists in [10, 20, 40] {
      let effort = SearchEffort(reach: coverage.reach(lists: lists), kept: 0)
      let probed = queries.reduce(0) { sum, query in
        sum
          + query.withUnsafeBufferPointer {
            alone.search($0, k: 100, effort: effort, time: SystemTime(), scratch: scratch).probedListCount
          }
      }
      // More than the hundred best are kept, and codes mistake some.
      #expect(probed >= lists * queries.count && probed < lists * queries.count * 2)
    }
  }

  private func keys(_ ordinals: [UInt32], _ query: [Float], _ built: Built) -> [UInt64] {
    ordinals.map { ordinal in
      mk_key(query.withUnsafeBufferPointer { built.vectors.dot(ordinal, $0) }, ordinal)
    }
  }

  @Test("queries whose neighbours lie in lists that spread make spread count")
  func weight() throws {
    let built = try Self.built.get()
    let index = built.parts[0].index
    let spreads = try #require(index.coded).spreads
    let wide = (0..<index.listCount).max { spreads[$0] < spreads[$1] } ?? 0
    let filled = (0..<index.listCount).filter { index.offsets[$0] < index.offsets[$0 + 1] }
    let narrow = filled.min { spreads[$0] < spreads[$1] } ?? 0
    let query = [Float](repeating: 0.25, count: Self.dimensions)
    // The neighbours are all of one list, so that its rank is all that counts.
    let weight = { (list: Int) in
      let truth = (index.offsets[list]..<index.offsets[list + 1]).map { index.ordinals[Int($0)] }
      return ListCoverage.best(index, queries: query, truth: [keys(truth, query, built)]).spreadWeight
    }
    #expect(weight(wide) >= weight(narrow))
    #expect(weight(wide) > 0)
  }

  @Test("search ranks lists by the weight that the segment has")
  func ranked() throws {
    let built = try Self.built.get()
    let queries = profiles(Self.values, dimensions: Self.dimensions, count: 20)
    func found(_ weight: Float) -> [[UInt32]] {
      var index = built.parts[0].index
      index.spreadWeight = weight
      let alone = PartitionedIndex(alone: index)
      return queries.map { query in
        let scratch = SearchScratch()
        let outcome = query.withUnsafeBufferPointer {
          alone.search(
            $0, k: 20, effort: SearchEffort(reach: -0.3, kept: 100), time: SystemTime(), scratch: scratch)
        }
        return Array(scratch.ordinals.prefix(outcome.count))
      }
    }
    #expect(found(0) == found(0))
    #expect(found(0) != found(4))
  }

  @Test("two and a half standard errors are taken off the mean of shares")
  func low() {
    var shares = Shares()
    #expect(shares.low == 0)
    for found in [8, 10, 6, 8] { shares.add(found, of: 10) }
    #expect(abs(shares.low - (0.8 - 2.5 * 0.1414 / 2)) < 0.001)
  }
}
