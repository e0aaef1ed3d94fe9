internal import Catalogue

/// Who showed interest in what, both ways round: rows of profiles by title, and of titles by profile.
struct Watching {
  struct Edge {
    var neighbour: UInt32
    var weight: Float
  }

  /// Edges of each profile, to ordinals.
  let profileOffsets: [Int]
  let profileEdges: [Edge]
  /// Watched ordinals, ascending, and the edges of each to profiles.
  let watched: [UInt32]
  let watchedOffsets: [Int]
  let watchedEdges: [Edge]

  var profileCount: Int { profileOffsets.count - 1 }

  /// An ordinal's interest by one profile is that of its strongest event.
  init(_ table: InteractionTable, ordinalCount: Int) {
    var profileOffsets = [0]
    var profileEdges: [Edge] = []
    var viewers = [UInt32](repeating: 0, count: ordinalCount)
    for profile in 0..<table.profileCount {
      var strongest: [UInt32: Float] = [:]
      for row in table.rows(of: profile) where Int(row.ordinal) < ordinalCount {
        let interest = row.interest
        if interest > strongest[row.ordinal] ?? 0 { strongest[row.ordinal] = interest }
      }
      for (ordinal, weight) in strongest.sorted(by: { $0.key < $1.key }) {
        profileEdges.append(Edge(neighbour: ordinal, weight: weight))
        viewers[Int(ordinal)] += 1
      }
      profileOffsets.append(profileEdges.count)
    }
    let watched = (0..<ordinalCount).filter { viewers[$0] > 0 }.map { UInt32($0) }
    var watchedOffsets = [0]
    var next = [Int](repeating: 0, count: ordinalCount)
    for ordinal in watched {
      next[Int(ordinal)] = watchedOffsets[watchedOffsets.count - 1]
      watchedOffsets.append(next[Int(ordinal)] + Int(viewers[Int(ordinal)]))
    }
    var watchedEdges = [Edge](repeating: Edge(neighbour: 0, weight: 0), count: profileEdges.count)
    for profile in 0..<table.profileCount {
      for edge in profileEdges[profileOffsets[profile]..<profileOffsets[profile + 1]] {
        watchedEdges[next[Int(edge.neighbour)]] = Edge(neighbour: UInt32(profile), weight: edge.weight)
        next[Int(edge.neighbour)] += 1
      }
    }
    self.profileOffsets = profileOffsets
    self.profileEdges = profileEdges
    self.watched = watched
    self.watchedOffsets = watchedOffsets
    self.watchedEdges = watchedEdges
  }

  func edges(ofProfile profile: Int) -> ArraySlice<Edge> {
    profileEdges[profileOffsets[profile]..<profileOffsets[profile + 1]]
  }

  /// `place` is an index into `watched`.
  func edges(ofWatched place: Int) -> ArraySlice<Edge> {
    watchedEdges[watchedOffsets[place]..<watchedOffsets[place + 1]]
  }

  func viewerCount(ofWatched place: Int) -> Int { watchedOffsets[place + 1] - watchedOffsets[place] }
}
