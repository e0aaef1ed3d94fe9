internal import Base
package import Catalogue

/// Makes vectors of titles: what they say, joined with who watches them. See ``SpaceFit``.
package enum Embedder {
  package enum Stage: String, Sendable { case survey, text, watching }

  /// Fits a space to the titles of a file and returns it with their vectors, in the file's order, of length 1.
  ///
  /// `titleCount` is that of the file. Ordinals of `interactions` are places in the file; give only those that may be
  /// known. `progress` gets the stage and how far it is, 0 to 1. Needs `dimensions` × 4 bytes for each title and
  /// each profile, `textDimensions` × 4 for each anchor, and 50 bytes an interaction.
  package static func fit(
    titles path: String, titleCount: Int, interactions: InteractionTable,
    parameters: SpaceParameters = SpaceParameters(), threadCount: Int = 1,
    progress: (Stage, Double) -> Void = { _, _ in }
  ) throws(CatalogueFault) -> (space: Space, vectors: VectorTable) {
    precondition(parameters.isValid, "parameters are out of bounds")
    progress(.survey, 0)
    let weights = try WordWeights.survey(titles: path, titleCount: titleCount, threadCount: threadCount)
    let text = TextVectors(parameters: parameters, weights: weights)
    let watching = Watching(interactions, ordinalCount: titleCount, parameters)
    let anchors = SpaceFit.anchors(watching, titleCount: titleCount, countMax: parameters.anchorCountMax)
    progress(.text, 0)
    let anchorTexts = try texts(of: anchors, in: path, titleCount: titleCount, text, threadCount: threadCount)
    let textMean = centre(anchorTexts, threadCount: threadCount)
    let fit = SpaceFit(
      parameters: parameters, watching: watching, anchors: anchors, anchorTexts: anchorTexts,
      titleCount: titleCount, threadCount: threadCount)
    let result = fit.run { progress(.watching, $0) }
    let vectors = VectorTable(count: titleCount, dimensions: parameters.dimensions)
    let projection = TextProjection(text, mean: textMean, matrix: result.textProjection)
    let scratches = ScratchPool(projection.makeScratch)
    try TitleFile.each(path: path, threadCount: threadCount) { index, title in
      // A file that grew since it was counted has titles without an ordinal.
      guard index < titleCount else { return }
      scratches.with { projection.write(title, to: vectors.row(index), $0) }
    }
    fit.addWatching(profiles: result.profiles, to: vectors)
    finish(vectors, text: text, threadCount: threadCount)
    progress(.watching, 1)
    let space = Space(
      parameters: parameters, weights: weights, textMean: textMean, textProjection: result.textProjection,
      strengths: result.strengths, watchScale: result.watchScale)
    return (space, vectors)
  }

  /// What the anchors say, in their order.
  private static func texts(
    of anchors: [UInt32], in path: String, titleCount: Int, _ text: TextVectors, threadCount: Int
  ) throws(CatalogueFault) -> VectorTable {
    let places = PlaceOf(anchors, count: titleCount)
    let texts = VectorTable(count: anchors.count, dimensions: text.parameters.textDimensions)
    try TitleFile.each(path: path, threadCount: threadCount) { index, title in
      guard index < titleCount, let place = places[index] else { return }
      text.write(title, to: texts.row(place))
    }
    return texts
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
