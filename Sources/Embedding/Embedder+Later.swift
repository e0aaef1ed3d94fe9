internal import Base
package import Catalogue

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

extension Embedder {
  /// Vectors of titles that came or changed after `space` was fitted, in that space: row `n` is `titles[n]`'s.
  ///
  /// `ordinals` are theirs in `interactions`. `known` writes the vector of another ordinal, in the same space, to the
  /// buffer (`dimensions` floats) or returns `false`: through it watching reaches these titles, by one round of
  /// what ``fit`` does. Reads only profiles that showed interest in one of `titles`.
  package static func embed(
    _ titles: [Title], ordinals: [UInt32], in space: Space, interactions: InteractionTable,
    known: (_ ordinal: UInt32, UnsafeMutableBufferPointer<Float>) -> Bool
  ) -> VectorTable {
    precondition(titles.count == ordinals.count)
    let parameters = space.parameters
    let dimensions = parameters.dimensions
    let text = TextVectors(parameters: parameters, weights: space.weights)
    let vectors = VectorTable(count: titles.count, dimensions: dimensions)
    for (row, title) in titles.enumerated() {
      text.write(title, to: vectors.row(row))
      takeOff(space.textMean, from: vectors.row(row), dimensions)
    }
    let watching = LaterWatching(ordinals, interactions)
    let sums = watching.sums(parameters, known: known)
    var restart = [Float](repeating: 0, count: dimensions)
    for (row, title) in titles.enumerated() {
      let viewerCount = watching.viewerCounts[row]
      if viewerCount > 0 {
        text.writeOwn(title.id, to: &restart)
        makeRestart(&restart, text: vectors.row(row), parameters)
        let watch = sums.row(row)
        if normalise(watch, dimensions) {
          join(
            watch: watch, restart: restart, viewerCount: viewerCount, common: space.watchMean, parameters)
          vectors.row(row).update(from: watch, count: dimensions)
        }
      }
      if dot(vectors.row(row), vectors.row(row), dimensions) == 0 {
        text.writeOwn(title.id, to: vectors.row(row))
      }
    }
    return vectors
  }
}

/// Interest in a few titles, and what else their viewers saw.
private struct LaterWatching {
  private let rows: [UInt32: Int]
  private let interactions: InteractionTable
  /// Profiles with interest in any of the titles.
  private let viewers: [Int]
  /// By row. A title is trusted by those that the rounds of `fit` would see.
  let viewerCounts: [Int]
  /// By ordinal; popular ones count less in a profile.
  private let allViewerCounts: [UInt32: Int]

  init(_ ordinals: [UInt32], _ interactions: InteractionTable) {
    var rows: [UInt32: Int] = [:]
    for (row, ordinal) in ordinals.enumerated() { rows[ordinal] = row }
    var viewers: [Int] = []
    var viewerCounts = [Int](repeating: 0, count: ordinals.count)
    var allViewerCounts: [UInt32: Int] = [:]
    for profile in 0..<interactions.profileCount {
      var isViewer = false
      for ordinal in Self.interests(interactions, profile).keys {
        allViewerCounts[ordinal, default: 0] += 1
        if let row = rows[ordinal] {
          viewerCounts[row] += 1
          isViewer = true
        }
      }
      if isViewer { viewers.append(profile) }
    }
    self.rows = rows
    self.interactions = interactions
    self.viewers = viewers
    self.viewerCounts = viewerCounts
    self.allViewerCounts = allViewerCounts
  }

  private static func interests(_ table: InteractionTable, _ profile: Int) -> [UInt32: Float] {
    var strongest: [UInt32: Float] = [:]
    for row in table.rows(of: profile) {
      let interest = row.interest
      if interest > strongest[row.ordinal] ?? 0 { strongest[row.ordinal] = interest }
    }
    return strongest
  }

  /// By row: the sum of its viewers' vectors.
  func sums(
    _ parameters: SpaceParameters, known: (UInt32, UnsafeMutableBufferPointer<Float>) -> Bool
  ) -> VectorTable {
    let dimensions = parameters.dimensions
    let sums = VectorTable(count: viewerCounts.count, dimensions: dimensions)
    let scratch = VectorTable(count: 2, dimensions: dimensions)
    let profile = scratch.row(0)
    let vector = UnsafeMutableBufferPointer(start: scratch.row(1), count: dimensions)
    for viewer in viewers {
      // Ascending, so that the sum is the same on every run.
      let interests = Self.interests(interactions, viewer).sorted { $0.key < $1.key }
      profile.update(repeating: 0, count: dimensions)
      for (ordinal, weight) in interests where rows[ordinal] == nil && known(ordinal, vector) {
        let viewerCount = Float(allViewerCounts[ordinal] ?? 1)
        add(scratch.row(1), times: weight * pow(viewerCount, -parameters.damping), to: profile, dimensions)
      }
      guard normalise(profile, dimensions) else { continue }
      for (ordinal, weight) in interests {
        if let row = rows[ordinal] { add(profile, times: weight, to: sums.row(row), dimensions) }
      }
    }
    return sums
  }
}
