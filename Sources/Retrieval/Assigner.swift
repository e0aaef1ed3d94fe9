internal import Base
internal import CKernels

/// Finds the nearest centroid of vectors, by Euclidean distance: the largest of x·c - c·c/2.
struct Assigner {
  private let panels: [Float]
  private let bias: [Float]
  private let count: Int
  private let dimensions: Int

  init(_ centroids: Centroids) {
    count = centroids.count
    dimensions = centroids.dimensions
    let padded = Rotation.panelled(count)
    var panels = [Float](repeating: 0, count: padded * dimensions)
    mk_pack_transposed(centroids.values, dimensions, dimensions, count, &panels)
    var bias = [Float](repeating: -.infinity, count: padded)
    for list in 0..<count {
      var square: Float = 0
      for place in list * dimensions..<(list + 1) * dimensions {
        square += centroids.values[place] * centroids.values[place]
      }
      bias[list] = -square / 2
    }
    self.panels = panels
    self.bias = bias
  }

  /// The list of each of `count` vectors, `stride` floats apart, of which the first coordinates count; and x·c - c·c/2
  /// of it, which is not finite when a coordinate isn't.
  func assign(
    _ vectors: UnsafePointer<Float>, stride: Int, count rows: Int, lists: UnsafeMutablePointer<UInt32>,
    products: UnsafeMutablePointer<Float>
  ) {
    mk_active().pointee.nearest(
      vectors, stride, rows, dimensions, panels, bias, count, lists, products)
  }

  /// The list of each row of `sample`.
  func lists(of sample: [Float], threads: Int) -> [UInt32] {
    let rowCount = sample.count / dimensions
    var lists = [UInt32](repeating: 0, count: rowCount)
    let block = 256
    lists.withUnsafeMutableBufferPointer { lists in
      sample.withUnsafeBufferPointer { sample in
        forEachBlock(of: rowCount, blockCount: block, threads: threads) { range, _ in
          withUnsafeTemporaryAllocation(of: Float.self, capacity: block) { products in
            guard let from = sample.baseAddress, let to = lists.baseAddress, let out = products.baseAddress
            else { return }
            assign(
              from + range.lowerBound * dimensions, stride: dimensions, count: range.count,
              lists: to + range.lowerBound, products: out)
          }
        }
      }
    }
    return lists
  }
}
