internal import Base
package import Catalogue

extension Embedder {
  /// Vectors of titles that came or changed after `space` was fitted, in that space: row `n` is `titles[n]`'s.
  ///
  /// `ordinals` are theirs in `interactions`. `known` writes the vector of another ordinal, in the same space and of
  /// length 1, to the buffer (`dimensions` floats) or returns `false`: through those, watching reaches these titles.
  /// It is asked only for what viewers of `titles` saw. Held against a fit that had the titles, vectors differ by
  /// what the space could not know of them; a test holds the cosine above 0.9.
  package static func embed(
    _ titles: [Title], ordinals: [UInt32], in space: Space, interactions: InteractionTable,
    known: (_ ordinal: UInt32, UnsafeMutableBufferPointer<Float>) -> Bool
  ) -> VectorTable {
    precondition(titles.count == ordinals.count)
    let dimensions = space.parameters.dimensions
    let text = TextVectors(parameters: space.parameters, weights: space.weights)
    let projection = TextProjection(text, mean: space.textMean, matrix: space.textProjection)
    let scratch = projection.makeScratch()
    let vectors = VectorTable(count: titles.count, dimensions: dimensions)
    for (row, title) in titles.enumerated() { projection.write(title, to: vectors.row(row), scratch) }
    addWatching(ordinals, in: space, interactions, known: known, to: vectors)
    for (row, title) in titles.enumerated() where !normalise(vectors.row(row), dimensions) {
      text.writeOwn(title.id, to: vectors.row(row))
    }
    return vectors
  }

  /// Adds what viewers say: a viewer is the sum of the known titles' vectors, taken back to the basis.
  private static func addWatching(
    _ ordinals: [UInt32], in space: Space, _ interactions: InteractionTable,
    known: (UInt32, UnsafeMutableBufferPointer<Float>) -> Bool, to vectors: VectorTable
  ) {
    let parameters = space.parameters
    let dimensions = parameters.dimensions
    let highest = max(ordinals.max() ?? 0, interactions.rows.map(\.ordinal).max() ?? 0)
    let watching = Watching(interactions, ordinalCount: Int(highest) + 1, parameters)
    let places = PlaceOf(watching.watched, count: Int(highest) + 1)
    var rows: [UInt32: Int] = [:]
    for (row, ordinal) in ordinals.enumerated() { rows[ordinal] = row }
    let scratch = VectorTable(count: 2, dimensions: dimensions)
    let viewer = scratch.row(0)
    let vector = UnsafeMutableBufferPointer(start: scratch.row(1), count: dimensions)
    for profile in 0..<watching.profileCount {
      let edges = watching.edges(ofProfile: profile)
      guard edges.contains(where: { rows[$0.neighbour] != nil }) else { continue }
      viewer.update(repeating: 0, count: dimensions)
      for edge in edges where rows[edge.neighbour] == nil && known(edge.neighbour, vector) {
        guard let place = places[Int(edge.neighbour)] else { continue }
        // Of length 1 outside, inside a title is as long as its likeness to itself.
        let reach = watching.reaches[place] / space.watchScale
        let length = (reach * reach + parameters.textWeight).squareRoot()
        add(scratch.row(1), times: edge.weight / space.watchScale * length, to: viewer, dimensions)
      }
      for index in 0..<dimensions {
        let strength = space.strengths[index]
        viewer[index] = strength > 0 ? viewer[index] / strength : 0
      }
      for edge in edges {
        guard let row = rows[edge.neighbour] else { continue }
        add(viewer, times: edge.weight / space.watchScale, to: vectors.row(row), dimensions)
      }
    }
  }
}
