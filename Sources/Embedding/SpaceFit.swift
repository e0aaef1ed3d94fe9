/// Finds the dimensions in which titles are alike, from the likeness of some, the anchors.
///
/// Likeness of two titles is the product of their text vectors × `textWeight` plus that of their watching: a positive
/// matrix that nobody writes down. Its strongest eigenvectors come from subspace iteration (Bauer 1957; Halko,
/// Martinsson and Tropp 2011); a title's vector is its likeness to the anchors times those, each divided by the root
/// of its strength (Nyström's extension; Williams and Seeger 2001), so that products of vectors are likenesses again.
struct SpaceFit {
  let parameters: SpaceParameters
  let watching: Watching
  let threadCount: Int
  private let titleCount: Int
  private let anchors: [UInt32]
  /// What the anchors say: their text vectors of `textDimensions`.
  private let anchorTexts: VectorTable
  private let anchorPlaces: PlaceOf
  private let watchedPlaces: PlaceOf
  private let scale: Float

  init(
    parameters: SpaceParameters, watching: Watching, anchors: [UInt32], anchorTexts: VectorTable,
    titleCount: Int, threadCount: Int
  ) {
    precondition(anchors.count == anchorTexts.count && anchorTexts.dimensions == parameters.textDimensions)
    self.parameters = parameters
    self.watching = watching
    self.anchors = anchors
    self.anchorTexts = anchorTexts
    self.titleCount = titleCount
    self.threadCount = threadCount
    scale = watching.scale
    anchorPlaces = PlaceOf(anchors, count: titleCount)
    watchedPlaces = PlaceOf(watching.watched, count: titleCount)
  }

  /// Ascending ordinals. Three quarters of the room are for the most watched, the rest is spread evenly.
  static func anchors(_ watching: Watching, titleCount: Int, countMax: Int) -> [UInt32] {
    guard titleCount > countMax else { return (0..<titleCount).map { UInt32($0) } }
    var chosen = Set<UInt32>()
    let byViewers = watching.watched.indices.sorted {
      (-watching.viewerCount(ofWatched: $0), $0) < (-watching.viewerCount(ofWatched: $1), $1)
    }
    for place in byViewers.prefix(countMax * 3 / 4) { chosen.insert(watching.watched[place]) }
    let room = countMax - chosen.count
    for index in 0..<room { chosen.insert(UInt32(index * titleCount / room)) }
    return chosen.sorted()
  }

  /// What a space keeps of a fit.
  struct Result {
    var textProjection: [Float]
    var strengths: [Float]
    var watchScale: Float
    /// What each profile adds to the vectors of its titles: for ``addWatching(profiles:to:)``.
    var profiles: VectorTable
  }

  /// `progress` gets how far it is.
  func run(progress: (Double) -> Void) -> Result {
    let dimensions = parameters.dimensions
    let basis = VectorTable(count: anchors.count, dimensions: dimensions)
    let likeness = VectorTable(count: anchors.count, dimensions: dimensions)
    let profiles = VectorTable(count: watching.profileCount, dimensions: dimensions)
    let start = TextVectors(parameters: parameters, weights: .none)
    inParallel(anchors.count, threadCount: threadCount) { range in
      for place in range { start.writeOwn("anchor \(place)", to: basis.row(place)) }
    }
    for iteration in 0..<parameters.iterationCount {
      progress(Double(iteration) / Double(parameters.iterationCount + 2))
      apply(to: basis, profiles: profiles, result: likeness)
      let inner = gram(likeness, likeness, threadCount: threadCount)
      let matrix = PackedMatrix(
        orthonormaliser(inner, dimensions: dimensions), inputs: dimensions, columns: dimensions)
      multiply(likeness, by: matrix, to: basis, threadCount: threadCount)
    }
    apply(to: basis, profiles: profiles, result: likeness)
    let (strengths, rotation) = rotation(gram(basis, likeness, threadCount: threadCount))
    // The basis in its own axes, each divided by the root of its strength.
    multiply(
      basis, by: PackedMatrix(rotation, inputs: dimensions, columns: dimensions), to: likeness,
      threadCount: threadCount)
    let projection = gram(anchorTexts, likeness, threadCount: threadCount).map { $0 * parameters.textWeight }
    gather(likeness, to: profiles)
    progress(Double(parameters.iterationCount + 1) / Double(parameters.iterationCount + 2))
    return Result(textProjection: projection, strengths: strengths, watchScale: scale, profiles: profiles)
  }

  /// result = likeness of the anchors × basis
  private func apply(to basis: VectorTable, profiles: VectorTable, result: VectorTable) {
    let inner = gram(anchorTexts, basis, threadCount: threadCount).map { $0 * parameters.textWeight }
    multiply(
      anchorTexts, by: PackedMatrix(inner, inputs: parameters.textDimensions, columns: parameters.dimensions),
      to: result, threadCount: threadCount)
    gather(basis, to: profiles)
    inParallel(anchors.count, threadCount: threadCount) { range in
      for place in range { addWatching(of: Int(anchors[place]), profiles: profiles, to: result.row(place)) }
    }
  }

  /// profile = sum of its anchors' rows
  private func gather(_ rows: VectorTable, to profiles: VectorTable) {
    inParallel(profiles.count, threadCount: threadCount) { range in
      for profile in range {
        let sum = profiles.row(profile)
        sum.update(repeating: 0, count: rows.dimensions)
        for edge in watching.edges(ofProfile: profile) {
          guard let place = anchorPlaces[Int(edge.neighbour)] else { continue }
          add(rows.row(place), times: edge.weight / scale, to: sum, rows.dimensions)
        }
      }
    }
  }

  private func addWatching(of ordinal: Int, profiles: VectorTable, to row: UnsafeMutablePointer<Float>) {
    guard let place = watchedPlaces[ordinal] else { return }
    for edge in watching.edges(ofWatched: place) {
      add(profiles.row(Int(edge.neighbour)), times: edge.weight / scale, to: row, profiles.dimensions)
    }
  }

  /// The strengths, and the matrix from the basis to its own axes over the roots of their strengths.
  private func rotation(_ likeness: [Float]) -> (strengths: [Float], matrix: [Float]) {
    let dimensions = parameters.dimensions
    var (values, matrix) = eigen(likeness, dimensions: dimensions)
    let least = (values.first ?? 0) * 1e-5
    for column in 0..<dimensions {
      if values[column] <= least { values[column] = 0 }
      let factor = values[column] > 0 ? 1 / values[column].squareRoot() : 0
      for row in 0..<dimensions { matrix[row * dimensions + column] *= factor }
    }
    return (values.map { Float($0) }, matrix.map { Float($0) })
  }

  /// Adds to every title's vector what those who watched it say.
  func addWatching(profiles: VectorTable, to vectors: VectorTable) {
    precondition(vectors.count == titleCount)
    inParallel(titleCount, threadCount: threadCount) { range in
      for ordinal in range { addWatching(of: ordinal, profiles: profiles, to: vectors.row(ordinal)) }
    }
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
