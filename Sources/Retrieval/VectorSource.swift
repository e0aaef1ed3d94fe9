/// Vectors by ordinal, wherever they lie: in memory, in an embeddings segment, behind a closure.
package protocol VectorSource: Sendable {
  var count: Int { get }
  var dimensions: Int { get }
  /// Copies the vectors of `ordinals` into `rows`, one after another, `dimensions` floats each.
  ///
  /// Called by several threads at once. `ordinals` lies within `count`, and `rows` has room.
  func copy(_ ordinals: Range<Int>, into rows: UnsafeMutableBufferPointer<Float>)
}

/// Vectors in memory, row after row.
package struct VectorRows: VectorSource {
  package let dimensions: Int
  package let values: [Float]

  /// `values` has `dimensions` floats for each ordinal.
  package init(_ values: [Float], dimensions: Int) {
    precondition(dimensions > 0 && values.count % dimensions == 0, "rows are whole")
    self.values = values
    self.dimensions = dimensions
  }

  package var count: Int { values.count / dimensions }

  package func copy(_ ordinals: Range<Int>, into rows: UnsafeMutableBufferPointer<Float>) {
    let range = ordinals.lowerBound * dimensions..<ordinals.upperBound * dimensions
    values.withUnsafeBufferPointer { source in
      for (to, from) in range.enumerated() { rows[to] = source[from] }
    }
  }
}

/// Vectors that a closure makes or finds.
package struct VectorFunction: VectorSource {
  package let count: Int
  package let dimensions: Int
  private let fill: @Sendable (Range<Int>, UnsafeMutableBufferPointer<Float>) -> Void

  /// `fill` does what ``VectorSource/copy(_:into:)`` says.
  package init(
    count: Int, dimensions: Int,
    fill: @escaping @Sendable (Range<Int>, UnsafeMutableBufferPointer<Float>) -> Void
  ) {
    self.count = count
    self.dimensions = dimensions
    self.fill = fill
  }

  package func copy(_ ordinals: Range<Int>, into rows: UnsafeMutableBufferPointer<Float>) {
    fill(ordinals, rows)
  }
}
