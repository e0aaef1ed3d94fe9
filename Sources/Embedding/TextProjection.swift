internal import Catalogue

/// Takes what a title says into the dimensions in which titles are alike.
struct TextProjection: Sendable {
  private let text: TextVectors
  /// What all titles' text vectors have in common, which is taken off.
  private let mean: [Float]
  /// `textDimensions` rows of `dimensions` columns.
  private let matrix: [Float]
  /// The mean, taken the same way.
  private let projectedMean: [Float]
  private let meanSquare: Float

  init(_ text: TextVectors, mean: [Float], matrix: [Float]) {
    let dimensions = text.parameters.dimensions
    precondition(mean.count == text.parameters.textDimensions && matrix.count == mean.count * dimensions)
    self.text = text
    self.mean = mean
    self.matrix = matrix
    var projected = [Float](repeating: 0, count: dimensions)
    matrix.withUnsafeBufferPointer { matrix in
      guard let rows = matrix.baseAddress else { return }
      for index in mean.indices {
        add(rows + index * dimensions, times: mean[index], to: &projected, dimensions)
      }
    }
    projectedMean = projected
    meanSquare = dot(mean, mean, mean.count)
  }

  /// Memory for one thread's ``write(_:to:_:)``.
  func makeScratch() -> VectorTable { VectorTable(count: 1, dimensions: mean.count) }

  /// Writes the title's part of its vector to `row`, zeros when it says nothing, or nothing but what all say.
  ///
  /// The text vector less the mean, made one of length 1, times the matrix: but only the rows of words that the title
  /// has are touched, some 300 of 1,024.
  func write(_ title: Title, to row: UnsafeMutablePointer<Float>, _ scratch: VectorTable) {
    let dimensions = text.parameters.dimensions
    row.update(repeating: 0, count: dimensions)
    let words = scratch.row(0)
    text.write(title, to: words)
    guard dot(words, words, mean.count) > 0 else { return }
    let square = max(0, 1 - 2 * dot(words, mean, mean.count) + meanSquare)
    // What is left of rounding is no direction.
    guard square > 1e-6 else { return }
    matrix.withUnsafeBufferPointer { matrix in
      guard let rows = matrix.baseAddress else { return }
      for index in mean.indices where words[index] != 0 {
        add(rows + index * dimensions, times: words[index], to: row, dimensions)
      }
    }
    let scale = 1 / square.squareRoot()
    for index in 0..<dimensions { row[index] = (row[index] - projectedMean[index]) * scale }
  }
}
