internal import Base

/// What generated titles and profiles have in common: genres, themes, clusters and a made-up vocabulary.
///
/// A hierarchy, so that the embedding finds few dimensions and clear clusters: a genre prefers a few of 48 themes, a
/// cluster mixes three themes, its first theme's people, and a few words of its own, a title is a noisy draw from its
/// cluster. Clusters with the same first theme are siblings: who likes one likes the others now and then.
struct GeneratedWorld: Sendable {
  static let genreNames = [
    "Drama", "Comedy", "Thriller", "Action", "Romance", "Crime", "Documentary", "Science Fiction", "Horror",
    "Adventure", "Fantasy", "Family", "Animation", "Mystery", "History", "War", "Musical", "Western", "Sport",
    "Reality", "Nature", "Biography", "Short", "Anime",
  ]
  static let maturities: [UInt8] = [
    12, 6, 16, 12, 6, 16, 0, 12, 18, 6, 6, 0, 0, 12, 6, 16, 0, 12, 0, 12, 0, 6, 0, 12,
  ]
  static let themeCount = 48
  static let wordsPerTheme = 40
  static let wordsPerCluster = 12
  static let peoplePerTheme = 30
  static let commonWordCount = 200

  struct Cluster: Sendable {
    var genre: Int
    var secondGenre: Int?
    var themes: [Int]
    /// The share of words from the first theme, the first two, all three.
    var themeShares: [Float]
    var words: [String]
  }

  let clusters: [Cluster]
  /// The share of titles in the clusters up to and including each.
  let clusterShares: [Double]
  let themeWords: [[String]]
  let themePeople: [[String]]
  /// Clusters by first theme.
  private let siblings: [[Int]]
  let commonWords: [String]

  init(titleCount: Int, seed: UInt64) {
    var random = Draw(seed: seed, stream: .world, index: 0)
    let count = min(2000, max(8, titleCount / 400))
    let genreThemes = Self.genreNames.map { _ in (0..<4).map { _ in random.below(Self.themeCount) } }
    themeWords = (0..<Self.themeCount).map { _ in (0..<Self.wordsPerTheme).map { _ in random.word() } }
    themePeople = (0..<Self.themeCount).map { _ in
      (0..<Self.peoplePerTheme).map { _ in random.word().capitalised + " " + random.word().capitalised }
    }
    commonWords = (0..<Self.commonWordCount).map { _ in random.word() }
    clusters = (0..<count).map { _ in
      let genre = random.skewed(Self.genreNames.count, 1.6)
      let second = random.unit() < 0.6 ? random.skewed(Self.genreNames.count, 1.6) : genre
      let own = genreThemes[genre]
      let first = Float(0.4 + 0.3 * random.unit())
      return Cluster(
        genre: genre, secondGenre: second == genre ? nil : second,
        themes: [own[random.below(4)], own[random.below(4)], random.below(Self.themeCount)],
        themeShares: [first, first + (1 - first) * 0.65, 1],
        words: (0..<Self.wordsPerCluster).map { _ in random.word() })
    }
    var siblings = [[Int]](repeating: [], count: Self.themeCount)
    for (index, cluster) in clusters.enumerated() { siblings[cluster.themes[0]].append(index) }
    self.siblings = siblings
    // A power law, flattened for the first few, as in the benchmark data of the design.
    var shares: [Double] = []
    var sum = 0.0
    for rank in 0..<count {
      sum += 1 / power(Double(rank) + 10, 0.8)
      shares.append(sum)
    }
    clusterShares = shares.map { $0 / sum }
  }

  /// A cluster with the same first theme, perhaps the same cluster.
  func sibling(of cluster: Int, _ draw: inout Draw) -> Int {
    let family = siblings[clusters[cluster].themes[0]]
    return family[draw.below(family.count)]
  }

  func cluster(at share: Double) -> Int { firstIndex(above: share, in: clusterShares) }
}

/// The first place whose value is above `value`; the last one if none is. `values` ascend and aren't empty.
func firstIndex<Value: Comparable>(above value: Value, in values: [Value], _ range: Range<Int>? = nil) -> Int
{
  var low = range?.lowerBound ?? 0
  var high = (range?.upperBound ?? values.count) - 1
  while low < high {
    let middle = (low + high) / 2
    if values[middle] > value { high = middle } else { low = middle + 1 }
  }
  return low
}

extension String {
  var capitalised: String { prefix(1).uppercased() + dropFirst() }
}
