import Base
import CKernels
import Testing

@testable import Retrieval

@Suite("Blocks of lists")
struct ListBlocksTests {
  private static let dimensions = 24

  private struct Arranged {
    let vectors: VectorRows
    let lists: Lists
    let centroids: Centroids
    let turn: CodeTurn
    let blocks: ListBlocks

    init(_ values: [Float], _ dimensions: Int, listCount: Int, threads: Int = 1) {
      vectors = VectorRows(values, dimensions: dimensions)
      let clustering = Clustering(listCount: listCount, iterationCount: 6, seed: 1, threads: 1)
      centroids = clustering.run(values, dimensions: dimensions) { _ in }
      lists = Lists(
        Assigner(centroids).assign(vectors, threads: 1) { _ in }.lists, count: centroids.count)
      let all = ListVectors(source: vectors, lists: lists, centroids: centroids)
      var residuals: [Float] = []
      all.forResiduals(count: vectors.count) { places, rows in
        residuals += UnsafeBufferPointer(start: rows, count: places.count * dimensions)
      }
      turn = CodeTurn(residuals: residuals, centroids: centroids, sizes: lists.sizes, pairCount: 8)
      blocks = ListBlocks(all, turn: turn, threads: threads)
    }

    /// Turned residuals by place, as they are arranged.
    func turned(_ lists: Lists) -> [[Float]] {
      var turned: [[Float]] = []
      ListVectors(source: vectors, lists: lists, centroids: centroids)
        .forResiduals(count: vectors.count) { places, rows in
          var out = [Float](repeating: 0, count: places.count * turn.count)
          turn.turn(rows, rowCount: places.count, into: &out)
          for row in places.indices {
            turned.append(Array(out[row * turn.count..<(row + 1) * turn.count]))
          }
        }
      return turned
    }
  }

  @Test("a list keeps its titles, whatever the threads")
  func keeps() {
    let values = clustered(3000, dimensions: Self.dimensions)
    let arranged = Arranged(values, Self.dimensions, listCount: 9)
    let (before, after) = (arranged.lists, arranged.blocks.lists)
    #expect(before.offsets == after.offsets && before.ordinals != after.ordinals)
    for (begin, end) in zip(before.offsets, before.offsets.dropFirst()) {
      let places = Int(begin)..<Int(end)
      #expect(before.ordinals[places].sorted() == after.ordinals[places].sorted())
    }
    let other = Arranged(values, Self.dimensions, listCount: 9, threads: 3).blocks
    #expect(other.lists.ordinals == after.ordinals && other.sectionRows == arranged.blocks.sectionRows)
  }

  @Test("titles of a block lie near one another, and its row says where")
  func near() throws {
    let arranged = Arranged(
      clustered(6000, dimensions: Self.dimensions, clusters: 4), Self.dimensions, listCount: 3)
    let (turn, blocks) = (arranged.turn, arranged.blocks)
    let turned = arranged.turned(blocks.lists)
    let row = blocks.sectionRows
    var (whole, inside, told) = (Float(0), Float(0), Float(0))
    for list in 0..<arranged.centroids.count {
      let count = Int(blocks.firstBlocks[list + 1] - blocks.firstBlocks[list])
      for place in Int(blocks.lists.offsets[list])..<Int(blocks.lists.offsets[list + 1]) {
        let block = blocks.block(of: place, in: list)
        var rest = turned[place]
        let square = rest.reduce(0) { $0 + $1 * $1 }
        // The section's row is the one that is subtracted.
        let first = Int(blocks.firstBlocks[list])
        let middle = (0..<turn.count).map { dimension in
          Float(
            Int(row[first * blocks.width + dimension / 4 * 4 * count + 4 * (block - first) + dimension % 4])
              - 128)
            * blocks.step
        }
        let expected = zip(rest, middle).map { $0 - $1 }
        let less = rest.withUnsafeMutableBufferPointer { rest in
          rest.baseAddress.map { blocks.subtractMiddle(block, from: $0, width: turn.count) } ?? 0
        }
        #expect(zip(rest, expected).allSatisfy { abs($0 - $1) < 1e-5 })
        let left = rest.reduce(0) { $0 + $1 * $1 }
        #expect(abs(square - less - left) < 1e-4)
        whole += square
        inside += left
        told += less
      }
    }
    #expect(inside < 0.75 * whole && told > 0.25 * whole, "\(inside) of \(whole)")
  }

  @Test(
    "rows are halved across what they differ by, in whole blocks", arguments: [1, 64, 65, 128, 200, 1000])
  func halved(count: Int) {
    // On a line, in the order of chance.
    var random = SplitMix(seed: 9)
    let line = (0..<count).map { Float($0) / 100 }.shuffled(using: &random)
    var rows = ArrangedRows(line.flatMap { [0.2 * $0, $0, -$0] }, count: count, width: 3)
    rows.halve()
    #expect(rows.order.sorted() == Array(0..<count))
    let blocks = stride(from: 0, to: count, by: 64).map {
      rows.order[$0..<min($0 + 64, count)].map { line[$0] }
    }
    for (here, next) in zip(blocks, blocks.dropFirst()) {
      let (a, b) = (here.min() ?? 0, next.max() ?? 0)
      let (c, d) = (here.max() ?? 0, next.min() ?? 0)
      #expect(a >= b || c <= d, "blocks do not overlap")
    }
    #expect(rows.middles.count == 3 * blocks.count)
    for (block, values) in blocks.enumerated() {
      #expect(abs(rows.middles[3 * block + 1] - values.reduce(0, +) / Float(values.count)) < 1e-3)
    }
  }

  @Test("titles that are all alike, or differ by nothing that is turned, stay as they are")
  func alike() {
    var rows = ArrangedRows([Float](repeating: 0.5, count: 300), count: 150, width: 2)
    rows.halve()
    #expect(rows.order.sorted() == Array(0..<150))
    var none = ArrangedRows([], count: 150, width: 0)
    none.halve()
    #expect(none.order == Array(0..<150) && none.middles.isEmpty)
  }
}
