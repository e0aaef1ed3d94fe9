internal import Base
internal import Catalogue
internal import Embedding
internal import Retrieval

/// Makes the vectors of a part: fits a space to a base, or embeds a tail in the space of its base.
struct VectorStep: Sendable {
  var seed: UInt64
  var threads: Int
  /// 0 to 1.
  var progress: @Sendable (Double) -> Void = { _ in }

  /// Fits a space to all titles of a file. Ordinals of the interactions are places in the file; what they say the space
  /// knows. Writes the space, and the vectors in the file's order.
  func fit(
    titles path: String, count: Int, interactions: InteractionTable, spacePath: String, vectorsPath: String
  ) throws -> Space {
    let (space, vectors) = try Embedder.fit(
      titles: path, titleCount: count, interactions: interactions, parameters: SpaceParameters(seed: seed),
      threadCount: threads
    ) { stage, share in
      switch stage {
      case .survey: progress(share * 0.1)
      case .text: progress(0.1 + share * 0.3)
      case .watching: progress(0.4 + share * 0.6)
      }
    }
    try space.write(to: spacePath)
    try write(vectors, to: vectorsPath)
    return space
  }

  /// Writes the vectors of titles that came after the space was fitted. The first one's ordinal is the base's count.
  func embed(
    _ titles: [Title], in space: Space, base: Vectors, interactions: InteractionTable, vectorsPath: String
  ) throws {
    let ordinals = titles.indices.map { UInt32(base.count + $0) }
    let vectors = Embedder.embed(titles, ordinals: ordinals, in: space, interactions: interactions) {
      ordinal, vector in
      guard Int(ordinal) < base.count else { return false }
      base.copy(Int(ordinal), to: vector)
      return true
    }
    try write(vectors, to: vectorsPath)
  }

  private func write(_ vectors: VectorTable, to path: String) throws(DiskFault) {
    let writer = try VectorsWriter(path: path, dimensions: vectors.dimensions)
    for row in 0..<vectors.count { try writer.append(vectors[row]) }
    try writer.finish()
  }
}
