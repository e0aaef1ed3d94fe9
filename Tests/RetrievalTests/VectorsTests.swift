import Base
import Testing

@testable import Retrieval

@Suite("Vectors")
struct VectorsTests {
  @Test("vectors come back within a half's rounding, by ordinal", arguments: [1, 32, 33, 128, 384, 1024])
  func roundTrip(dimensions: Int) throws {
    let scratch = try Scratch()
    let values = clustered(5, dimensions: dimensions)
    let vectors = try write(values, dimensions: dimensions, to: scratch.file("v"))
    #expect(vectors.count == 5 && vectors.dimensions == dimensions)
    for ordinal in 0..<5 {
      var one = [Float](repeating: 9, count: dimensions)
      one.withUnsafeMutableBufferPointer { vectors.copy(ordinal, to: $0) }
      for dimension in 0..<dimensions {
        #expect(abs(one[dimension] - values[ordinal * dimensions + dimension]) <= 0x1p-11)
      }
    }
    var all = [Float](repeating: 0, count: 3 * dimensions)
    all.withUnsafeMutableBufferPointer { vectors.copy(1..<4, into: $0) }
    var sum = [Float](repeating: 1, count: dimensions)
    sum.withUnsafeMutableBufferPointer { vectors.add(2, weight: -0.5, to: $0) }
    for dimension in 0..<dimensions { #expect(sum[dimension] == 1 - 0.5 * all[dimensions + dimension]) }
  }

  @Test("parts are one row of ordinals")
  func partitioned() throws {
    let scratch = try Scratch()
    let values = clustered(7, dimensions: 8)
    let parts = try PartitionedVectors([
      write(Array(values[..<32]), dimensions: 8, to: scratch.file("a")),
      write(Array(values[32...]), dimensions: 8, to: scratch.file("b")),
    ])
    let whole = try write(values, dimensions: 8, to: scratch.file("c"))
    #expect(parts.count == 7)
    let query = unit([1, 2, 3, 4, 5, 6, 7, 8])
    query.withUnsafeBufferPointer { query in
      for ordinal in 0..<7 { #expect(parts.dot(UInt32(ordinal), query) == whole.dot(ordinal, query)) }
      // Many at once, across both parts and in any order.
      for ordinals: [UInt32] in [
        [], [6], [0, 1, 2, 3], [6, 5, 4], [0, 4, 1, 5, 6, 3, 3, 2, 0, 1, 2, 3, 0, 6],
      ] {
        var products = [Float](repeating: 9, count: ordinals.count)
        ordinals.withUnsafeBufferPointer { ordinals in
          products.withUnsafeMutableBufferPointer { parts.dots(ordinals, query, into: $0) }
        }
        #expect(products == ordinals.map { parts.dot($0, query) })
      }
    }
    var left = [Float](repeating: 0, count: 56)
    var right = left
    left.withUnsafeMutableBufferPointer { parts.copy(0..<7, into: $0) }
    right.withUnsafeMutableBufferPointer { whole.copy(0..<7, into: $0) }
    #expect(left == right)
  }

  @Test("parts of different dimensions are refused, and none too")
  func mismatch() throws {
    let scratch = try Scratch()
    let a = try write([1, 2], dimensions: 2, to: scratch.file("a"))
    let b = try write([1, 2, 3], dimensions: 3, to: scratch.file("b"))
    #expect(throws: Refusal.self) { try PartitionedVectors([a, b]) }
    #expect(throws: Refusal.self) { try PartitionedVectors([]) }
  }

  @Test("a part without titles opens")
  func empty() throws {
    let scratch = try Scratch()
    #expect(try write([], dimensions: 4, to: scratch.file("e")).count == 0)
  }

  @Test("a head that lies about its rows is refused", arguments: [0, 1, 2])
  func lyingHead(field: Int) throws {
    let scratch = try Scratch()
    for value in [UInt32(0), field == 0 ? 33 : 3, 5000, .max] {
      var head: [UInt32] = [32, 32, 2, 0]
      guard head[field] != value else { continue }
      head[field] = value
      let writer = try SegmentWriter(
        path: scratch.file("h"), kind: Vectors.kind, formatVersion: Vectors.formatVersion)
      try writer.add("ROWS", [UInt16](repeating: 0, count: 64))
      try writer.add("HEAD", head)
      try writer.finish()
      #expect(throws: Refusal.self) {
        try Vectors(opening: MappedBytes(path: scratch.file("h")), name: "h")
      }
    }
  }
}
