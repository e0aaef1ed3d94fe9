/// What everybody wants most: the same list for every profile, but for what it has seen.
package struct PopularityBaseline: Sendable {
  /// All titles, the most wanted first; ties by ordinal.
  package let order: [UInt32]

  /// - Parameter wanted: of each profile the titles that it wanted, each once.
  package init(titleCount: Int, wanted: [[UInt32]]) {
    var counts = [Int](repeating: 0, count: titleCount)
    for titles in wanted {
      for title in titles { counts[Int(title)] += 1 }
    }
    order = (0..<UInt32(titleCount)).sorted { (counts[Int($0)], $1) > (counts[Int($1)], $0) }
  }

  /// The best titles that aren't left out.
  package func best(_ count: Int, leavingOut isSeen: (UInt32) -> Bool) -> [UInt32] {
    var best: [UInt32] = []
    for title in order where best.count < count && !isSeen(title) { best.append(title) }
    return best
  }
}

/// What those wanted who wanted the same: a title's neighbours are the titles that share most of its profiles, and a profile
/// gets the neighbours of what it wanted (Deshpande and Karypis 2004), by the cosine of their profiles, damped for titles
/// that few know.
package struct ItemItemBaseline: Sendable {
  private let neighbours: [[(title: UInt32, similarity: Float)]]
  private let popularity: PopularityBaseline

  package static let neighbourCountMax = 200
  private static let damping: Float = 10
  /// Titles of one profile that count: work rises with the square.
  private static let titlesOfProfileMax = 1000

  /// - Parameter wanted: of each profile the titles that it wanted, each once, the latest last.
  package init(titleCount: Int, wanted: [[UInt32]]) {
    popularity = PopularityBaseline(titleCount: titleCount, wanted: wanted)
    let wanted = wanted.map { Array($0.suffix(Self.titlesOfProfileMax)) }
    var profiles = [[Int32]](repeating: [], count: titleCount)
    for (profile, titles) in wanted.enumerated() {
      for title in titles { profiles[Int(title)].append(Int32(profile)) }
    }
    var shared = [Float](repeating: 0, count: titleCount)
    neighbours = (0..<titleCount).map { title in
      var touched: [UInt32] = []
      for profile in profiles[title] {
        for other in wanted[Int(profile)] where other != title {
          if shared[Int(other)] == 0 { touched.append(other) }
          shared[Int(other)] += 1
        }
      }
      var found = touched.map { other in
        let norm = Float(profiles[title].count * profiles[Int(other)].count).squareRoot()
        return (title: other, similarity: shared[Int(other)] / (norm + Self.damping))
      }
      for other in touched { shared[Int(other)] = 0 }
      found.sort { ($0.similarity, $1.title) > ($1.similarity, $0.title) }
      return Array(found.prefix(Self.neighbourCountMax))
    }
  }

  /// The best titles that aren't left out: neighbours of the history first, then what is popular.
  package func best(_ count: Int, for history: [UInt32], leavingOut isSeen: (UInt32) -> Bool) -> [UInt32] {
    var sums: [UInt32: Float] = [:]
    for title in history {
      for neighbour in neighbours[Int(title)] { sums[neighbour.title, default: 0] += neighbour.similarity }
    }
    let near = sums.filter { !isSeen($0.key) }.sorted { ($0.value, $1.key) > ($1.value, $0.key) }
      .prefix(count).map(\.key)
    let known = Set(near)
    return near + popularity.best(count - near.count) { known.contains($0) || isSeen($0) }
  }
}
