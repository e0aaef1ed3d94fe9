internal import Catalogue

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Who showed interest in what, both ways round, with the weights that likeness is computed from.
///
/// The weight of profile and title is interest × titles of the profile to -`activityPower`, times a factor of the
/// title that makes the length of all its weights its `reach`: viewers to `popularityPower` × trust.
struct Watching {
  struct Edge {
    /// An ordinal, or a profile.
    var neighbour: UInt32
    var weight: Float
  }

  let profileOffsets: [Int]
  /// Of each profile, by ascending ordinal. Weights have the title's factor in them.
  private(set) var profileEdges: [Edge]
  /// Ordinals that somebody showed interest in, ascending, and of each its edges to profiles.
  let watched: [UInt32]
  private let watchedOffsets: [Int]
  private let watchedEdges: [Edge]
  /// The length of each watched title's weights; before division by the space's scale.
  let reaches: [Float]

  var profileCount: Int { profileOffsets.count - 1 }

  init(_ table: InteractionTable, ordinalCount: Int, _ parameters: SpaceParameters) {
    var offsets = [0]
    var edges: [Edge] = []
    for profile in 0..<table.profileCount {
      Self.append(table, profile, ordinalCount: ordinalCount, parameters, to: &edges)
      offsets.append(edges.count)
    }
    var viewers = [UInt32](repeating: 0, count: ordinalCount)
    var squares = [Double](repeating: 0, count: ordinalCount)
    for edge in edges {
      viewers[Int(edge.neighbour)] += 1
      squares[Int(edge.neighbour)] += Double(edge.weight) * Double(edge.weight)
    }
    let watched = (0..<ordinalCount).filter { viewers[$0] > 0 }.map { UInt32($0) }
    reaches = watched.map {
      let count = Float(viewers[Int($0)])
      return pow(count, parameters.popularityPower) * count / (count + parameters.viewersAtHalf)
    }
    var factors = [Float](repeating: 0, count: ordinalCount)
    var watchedOffsets = [0]
    var next = [Int](repeating: 0, count: ordinalCount)
    for (place, ordinal) in watched.enumerated() {
      factors[Int(ordinal)] = reaches[place] / Float(squares[Int(ordinal)].squareRoot())
      next[Int(ordinal)] = watchedOffsets[place]
      watchedOffsets.append(watchedOffsets[place] + Int(viewers[Int(ordinal)]))
    }
    for index in edges.indices { edges[index].weight *= factors[Int(edges[index].neighbour)] }
    var watchedEdges = [Edge](repeating: Edge(neighbour: 0, weight: 0), count: edges.count)
    for profile in 0..<table.profileCount {
      for edge in edges[offsets[profile]..<offsets[profile + 1]] {
        watchedEdges[next[Int(edge.neighbour)]] = Edge(neighbour: UInt32(profile), weight: edge.weight)
        next[Int(edge.neighbour)] += 1
      }
    }
    profileOffsets = offsets
    profileEdges = edges
    self.watched = watched
    self.watchedOffsets = watchedOffsets
    self.watchedEdges = watchedEdges
  }

  /// Appends a profile's edges. Its interest in a title is that of its strongest event.
  private static func append(
    _ table: InteractionTable, _ profile: Int, ordinalCount: Int, _ parameters: SpaceParameters,
    to edges: inout [Edge]
  ) {
    var interests: [Edge] = []
    for row in table.rows(of: profile) where Int(row.ordinal) < ordinalCount && row.interest > 0 {
      interests.append(Edge(neighbour: row.ordinal, weight: row.interest))
    }
    interests.sort { ($0.neighbour, -$0.weight) < ($1.neighbour, -$1.weight) }
    let first = edges.count
    for interest in interests
    where edges.count == first || edges[edges.count - 1].neighbour != interest.neighbour {
      edges.append(interest)
    }
    let factor = pow(Float(edges.count - first), -parameters.activityPower)
    for index in first..<edges.count { edges[index].weight *= factor }
  }

  func edges(ofProfile profile: Int) -> ArraySlice<Edge> {
    profileEdges[profileOffsets[profile]..<profileOffsets[profile + 1]]
  }

  /// `place` is an index into `watched`.
  func edges(ofWatched place: Int) -> ArraySlice<Edge> {
    watchedEdges[watchedOffsets[place]..<watchedOffsets[place + 1]]
  }

  func viewerCount(ofWatched place: Int) -> Int { watchedOffsets[place + 1] - watchedOffsets[place] }

  /// The root of the mean square of reaches: with it taken out, a watched title's watching weighs 1 on average.
  var scale: Float {
    guard !reaches.isEmpty else { return 1 }
    let sum = reaches.reduce(0.0) { $0 + Double($1) * Double($1) }
    return Float((sum / Double(reaches.count)).squareRoot())
  }
}
