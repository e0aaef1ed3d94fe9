internal import Base
package import Catalogue

/// Makes vectors of titles: what they say, joined with who watches them.
///
/// A title's vector is its text's (see ``TextVectors``). Watched titles then take turns with profiles, as in FastRP
/// (Chen et al. 2019) with the text as the restart of every round (personalised propagation, Gasteiger et al. 2019):
/// a profile is the mean of its titles, popular ones damped; a title is its restart plus the mean of its profiles.
package enum Embedder {
  package enum Stage: String, Sendable { case survey, text, watching }

  /// Fits a space to the titles of a file and returns it with their vectors, in the file's order, of length 1.
  ///
  /// `titleCount` is that of the file. Ordinals of `interactions` are places in the file; give only those that may be
  /// known. `progress` gets the stage and how far it is, 0 to 1. Needs about `dimensions` × 4 bytes a title, as much
  /// again for each watched title, and for each profile.
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
    let watching = Watching(interactions, ordinalCount: titleCount)
    let restarts = VectorTable(count: watching.watched.count, dimensions: parameters.dimensions)
    let places = PlaceOf(watching.watched, count: titleCount)
    try TitleFile.each(path: path, threadCount: threadCount) { index, title in
      // A file that grew since it was counted has titles without an ordinal.
      guard index < titleCount else { return }
      text.write(title, to: vectors.row(index))
      if let place = places[index] { text.writeOwn(title.id, to: restarts.row(place)) }
    }
    let textMean = centre(vectors, threadCount: threadCount)
    let rounds = WatchingRounds(
      watching: watching, parameters: parameters, vectors: vectors, threadCount: threadCount)
    let watchMean = rounds.run(own: restarts) { progress(.watching, $0) }
    fillEmpty(vectors, parameters: parameters, threadCount: threadCount)
    let space = Space(
      parameters: parameters, weights: weights, textMean: textMean, watchMean: watchMean)
    progress(.watching, 1)
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

  /// A title about which nothing is known gets a vector that is far from all others, and of length 1.
  private static func fillEmpty(_ vectors: VectorTable, parameters: SpaceParameters, threadCount: Int) {
    let text = TextVectors(
      parameters: parameters,
      weights: WordWeights(bytes: [UInt8](repeating: 0, count: WordWeights.bucketCount)))
    inParallel(vectors.count, threadCount: threadCount) { range in
      for index in range where dot(vectors.row(index), vectors.row(index), vectors.dimensions) == 0 {
        text.writeOwn("ordinal \(index)", to: vectors.row(index))
      }
    }
  }
}

/// Takes `common` off a unit row and makes it one again; an empty row, or one that is nothing else, becomes empty.
func takeOff(_ common: [Float], from row: UnsafeMutablePointer<Float>, _ dimensions: Int) {
  guard dot(row, row, dimensions) > 0 else { return }
  add(common, times: -1, to: row, dimensions)
  if !normalise(row, dimensions) {
    for index in 0..<dimensions { row[index] = 0 }
  }
}

/// The place of an ordinal in an ascending list of some.
struct PlaceOf: Sendable {
  private var places: [UInt32]

  init(_ ordinals: [UInt32], count: Int) {
    places = [UInt32](repeating: .max, count: count)
    for (place, ordinal) in ordinals.enumerated() { places[Int(ordinal)] = UInt32(place) }
  }

  subscript(ordinal: Int) -> Int? {
    let place = places[ordinal]
    return place == .max ? nil : Int(place)
  }
}
