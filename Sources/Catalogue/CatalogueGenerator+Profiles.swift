internal import Base

/// Titles by cluster with running sums of popularity, so that a profile finds one in a few steps: 20 bytes a title.
struct GeneratedShelf: Sendable {
  /// Where each cluster's titles begin in `titles`; one more than clusters.
  private let offsets: [Int]
  private let titles: [UInt32]
  /// Popularity summed over the cluster's titles up to and including each.
  private let sums: [Double]
  private let released: [Int32]

  init(_ generator: CatalogueGenerator) {
    let cores = (0..<generator.titleCount).lazy.map { generator.core($0) }
    var clusterOf = [UInt32](repeating: 0, count: generator.titleCount)
    var popularity = [Double](repeating: 0, count: generator.titleCount)
    var released = [Int32](repeating: 0, count: generator.titleCount)
    var offsets = [Int](repeating: 0, count: generator.world.clusters.count + 1)
    for (index, core) in cores.enumerated() {
      clusterOf[index] = UInt32(core.cluster)
      popularity[index] = core.popularity
      released[index] = core.released.number
      offsets[core.cluster + 1] += 1
    }
    for cluster in 0..<generator.world.clusters.count { offsets[cluster + 1] += offsets[cluster] }
    var next = offsets
    var titles = [UInt32](repeating: 0, count: generator.titleCount)
    var sums = [Double](repeating: 0, count: generator.titleCount)
    for index in 0..<generator.titleCount {
      let cluster = Int(clusterOf[index])
      let place = next[cluster]
      titles[place] = UInt32(index)
      sums[place] = popularity[index] + (place > offsets[cluster] ? sums[place - 1] : 0)
      next[cluster] += 1
    }
    self.offsets = offsets
    self.titles = titles
    self.sums = sums
    self.released = released
  }

  /// A title of the cluster, by popularity; `nil` when there is none.
  func title(of cluster: Int, _ draw: inout Draw) -> Int? {
    let range = offsets[cluster]..<offsets[cluster + 1]
    guard !range.isEmpty else { return nil }
    let place = firstIndex(above: draw.unit() * sums[range.upperBound - 1], in: sums, range)
    return Int(titles[place])
  }

  func isReleased(_ title: Int, at moment: Timestamp) -> Bool {
    Int64(released[title]) * 86_400_000 <= moment.milliseconds
  }
}

extension CatalogueGenerator {
  /// About 30 interactions on average, in time order: sittings of one to six titles, minutes apart.
  func interactions(ofProfile index: Int, shelf: GeneratedShelf) -> [Interaction] {
    var draw = Draw(seed: seed, stream: .profile, index: index)
    var interests = [world.cluster(at: draw.unit())]
    for _ in 0..<draw.below(3) {
      let isNear = draw.unit() < 0.5
      interests.append(isNear ? world.sibling(of: interests[0], &draw) : world.cluster(at: draw.unit()))
    }
    let count = min(300, 5 + Int(draw.exponential(mean: 25)))
    var sittings: [Timestamp] = []
    var places = 0
    while places < count {
      let start = endsAt.milliseconds - 1 - Int64(draw.unit() * Double(Self.historySeconds) * 1000)
      for step in 0..<(1 + draw.below(6)) where places < count {
        let at = start + Int64(step) * 600_000 + Int64(draw.below(300_000))
        sittings.append(Timestamp(milliseconds: min(at, endsAt.milliseconds - 1)))
        places += 1
      }
    }
    var interactions: [Interaction] = []
    for at in sittings.sorted() {
      let isOfInterest = draw.unit() < 0.78
      var cluster = isOfInterest ? interests[draw.below(interests.count)] : world.cluster(at: draw.unit())
      if isOfInterest, draw.unit() < 0.3 { cluster = world.sibling(of: cluster, &draw) }
      let (kind, progress) = isOfInterest ? Self.reaction(&draw) : Self.reactionToOthers(&draw)
      guard let title = shelf.title(of: cluster, &draw), shelf.isReleased(title, at: at) else { continue }
      interactions.append(
        Interaction(
          profileID: profileID(index), titleID: titleID(title), kind: kind, at: at, progress: progress))
    }
    return interactions
  }

  private static func reaction(_ draw: inout Draw) -> (Event.Kind, Float) {
    switch draw.unit() {
    case ..<0.40: (.complete, 1)
    case ..<0.64: (.progress, Float(0.3 + 0.65 * draw.unit()))
    case ..<0.72: (.play, 0.02)
    case ..<0.79: (.click, 0)
    case ..<0.87: (.like, 1)
    case ..<0.92: (.addToList, 0)
    case ..<0.95: (.impression, 0)
    case ..<0.98: (.hoverSkip, 0)
    default: (.abandon, Float(0.02 + 0.1 * draw.unit()))
    }
  }

  private static func reactionToOthers(_ draw: inout Draw) -> (Event.Kind, Float) {
    switch draw.unit() {
    case ..<0.45: (.hoverSkip, 0)
    case ..<0.65: (.abandon, Float(0.02 + 0.1 * draw.unit()))
    case ..<0.82: (.impression, 0)
    case ..<0.87: (.dislike, 0.1)
    case ..<0.93: (.click, 0)
    default: (.complete, 1)
    }
  }
}
