internal import Base
package import Catalogue

/// Makes vectors of titles: what they say, joined with who watches them. See ``SpaceFit``.
package enum Embedder {
  package enum Stage: String, Sendable { case survey, text, watching }

  /// Fits a space to the titles of a file and returns it with their vectors, in the file's order, of length 1.
  ///
  /// `titleCount` is that of the file. Ordinals of `interactions` are places in the file; give only those that may be
  /// known. `progress` gets the stage and how far it is, 0 to 1. Needs `dimensions` × 4 bytes for each title and
  /// each profile, and 50 bytes an interaction.
  package static func fit(
    titles path: String, titleCount: Int, interactions: InteractionTable,
    parameters: SpaceParameters = SpaceParameters(), threadCount: Int = 1,
    progress: (Stage, Double) -> Void = { _, _ in }
  ) throws(CatalogueFault) -> (space: Space, vectors: VectorTable) {
    precondition(parameters.isValid, "parameters are out of bounds")
    progress(.survey, 0)
    let weights = try WordWeights.survey(titles: path, titleCount: titleCount, threadCount: threadCount)
    progress(.text, 0)
    let text = TextVectors(parameters: parameters, weights: weights)
    let vectors = VectorTable(count: titleCount, dimensions: parameters.dimensions)
    try TitleFile.each(path: path, threadCount: threadCount) { index, title in
      // A file that grew since it was counted has titles without an ordinal.
      if index < titleCount { text.write(title, to: vectors.row(index)) }
    }
    let textMean = centre(vectors, threadCount: threadCount)
    let watching = Watching(interactions, ordinalCount: titleCount, parameters)
    let fit = SpaceFit(parameters: parameters, watching: watching, texts: vectors, threadCount: threadCount)
    let result = fit.run { progress(.watching, $0) }
    finish(vectors, text: text, threadCount: threadCount)
    progress(.watching, 1)
    let space = Space(
      parameters: parameters, weights: weights, textMean: textMean, textProjection: result.textProjection,
      strengths: result.strengths, watchScale: result.watchScale)
    return (space, vectors)
  }

  /// Takes off what all rows have in common; returns it. Rows without any text stay empty.
  private static func centre(_ vectors: VectorTable, threadCount: Int) -> [Float] {
    let dimensions = vectors.dimensions
    let common = mean(vectors.count, dimensions: dimensions, threadCount: threadCount) {
      UnsafePointer(vectors.row($0))
    }
    inParallel(vectors.count, threadCount: threadCount) { range in
      for index in range { takeOff(common, from: vectors.row(index), dimensions) }
    }
    return common
  }

  /// Makes all rows unit vectors. A title about which nothing is known gets one that is like no other.
  private static func finish(_ vectors: VectorTable, text: TextVectors, threadCount: Int) {
    inParallel(vectors.count, threadCount: threadCount) { range in
      for index in range where !normalise(vectors.row(index), vectors.dimensions) {
        text.writeOwn("ordinal \(index)", to: vectors.row(index))
      }
    }
  }
}

/// Takes `common` off a unit row and makes it one again; an empty row, or one that is nothing else, becomes empty.
func takeOff(_ common: [Float], from row: UnsafeMutablePointer<Float>, _ dimensions: Int) {
  guard dot(row, row, dimensions) > 0 else { return }
  add(common, times: -1, to: row, dimensions)
  // What is left of rounding is no direction.
  if dot(row, row, dimensions) < 1e-8 || !normalise(row, dimensions) {
    row.update(repeating: 0, count: dimensions)
  }
}
