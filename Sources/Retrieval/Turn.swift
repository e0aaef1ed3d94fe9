internal import CKernels

/// An orthogonal turn after which few dimensions have most of what vectors differ by.
///
/// Rows are about the eigenvectors of the covariance, found by orthogonal iteration: exact ones would bring nothing, as
/// codes need only know which dimensions matter.
struct Turn {
  let dimensions: Int
  /// `dimensions` rows, orthogonal and of unit length, those of the largest variance first.
  private(set) var rows: [Float]

  /// `vectors` are rows of `dimensions` floats.
  init(_ vectors: [Float], dimensions: Int) {
    self.dimensions = dimensions
    rows = [Float](repeating: 0, count: dimensions * dimensions)
    for dimension in 0..<dimensions { rows[dimension * dimensions + dimension] = 1 }
    let moments = Self.moments(vectors, dimensions: dimensions)
    for _ in 0..<Self.iterationCount {
      multiply(moments)
      orthogonalise()
    }
  }

  private static var iterationCount: Int { 12 }

  /// The vectors turned, row by row.
  func turned(_ vectors: [Float]) -> [Float] {
    let count = vectors.count / dimensions
    var panels = [Float](repeating: 0, count: paddedCount * dimensions)
    mk_pack_transposed(rows, dimensions, dimensions, dimensions, &panels)
    let bias = [Float](repeating: 0, count: paddedCount)
    var out = [Float](repeating: 0, count: vectors.count)
    mk_active().pointee.dense(
      vectors, dimensions, count, dimensions, panels, bias, dimensions, 0, &out, dimensions)
    return out
  }

  private var paddedCount: Int { (dimensions + Int(MK_PANEL) - 1) / Int(MK_PANEL) * Int(MK_PANEL) }

  /// Sums of products of each two dimensions.
  private static func moments(_ vectors: [Float], dimensions: Int) -> [Float] {
    let count = vectors.count / dimensions
    var columns = [Float](repeating: 0, count: vectors.count)
    for row in 0..<count {
      for dimension in 0..<dimensions {
        columns[dimension * count + row] = vectors[row * dimensions + dimension]
      }
    }
    let padded = (dimensions + Int(MK_PANEL) - 1) / Int(MK_PANEL) * Int(MK_PANEL)
    var panels = [Float](repeating: 0, count: padded * count)
    mk_pack(vectors, dimensions, count, dimensions, &panels)
    let bias = [Float](repeating: 0, count: padded)
    var sums = [Float](repeating: 0, count: dimensions * dimensions)
    mk_active().pointee.dense(
      columns, count, dimensions, count, panels, bias, dimensions, 0, &sums, dimensions)
    return sums
  }

  /// rows := rows × moments, which are symmetric.
  private mutating func multiply(_ moments: [Float]) {
    var panels = [Float](repeating: 0, count: paddedCount * dimensions)
    mk_pack_transposed(moments, dimensions, dimensions, dimensions, &panels)
    let bias = [Float](repeating: 0, count: paddedCount)
    var out = [Float](repeating: 0, count: rows.count)
    mk_active().pointee.dense(
      rows, dimensions, dimensions, dimensions, panels, bias, dimensions, 0, &out, dimensions)
    rows = out
  }

  /// Gram and Schmidt, twice, since once leaves what rounding left. A row that vanishes becomes an axis.
  private mutating func orthogonalise() {
    let dimensions = dimensions
    var products = [Float](repeating: 0, count: dimensions)
    rows.withUnsafeMutableBufferPointer { rows in
      guard let start = rows.baseAddress else { return }
      let dot = mk_active().pointee.dot_floats
      for row in 0..<dimensions {
        let here = start + row * dimensions
        var axis = row
        var length: Float = 0
        repeat {
          // To unit length first: the products are large or tiny, and what vanished must be seen.
          dot(here, dimensions, 1, here, dimensions, &length)
          length = length.squareRoot()
          if length > 0, length.isFinite { for place in 0..<dimensions { here[place] /= length } }
          for _ in 0..<2 {
            dot(start, dimensions, row, here, dimensions, &products)
            for other in 0..<row {
              mk_add_scaled(start + other * dimensions, -products[other], dimensions, here)
            }
          }
          dot(here, dimensions, 1, here, dimensions, &length)
          length = length.squareRoot()
          guard !(length > 1e-3) else { break }
          for place in 0..<dimensions { here[place] = place == axis ? 1 : 0 }
          axis = (axis + 1) % dimensions
        } while true
        for place in 0..<dimensions { here[place] /= length }
      }
    }
  }
}
