package import Base

/// Makes a catalogue that does not exist: synthetic titles and what synthetic profiles did with them.
///
/// The same parameters give the same bytes. Sizes of clusters and popularity follow power laws; titles have licences
/// that differ by country and time, some over and some to come; profiles have one to three interests and 60 days of
/// history, rejections included. Nothing made here is evidence of how well anything recommends.
package struct CatalogueGenerator: Sendable {
  package static let historySeconds: Int64 = 60 * 86_400
  static let countries = ["US", "GB", "DE", "FR", "ES", "IT", "NL", "SE", "PL", "BR", "JP", "IN"]

  package let titleCount: Int
  package let profileCount: Int
  package let seed: UInt64
  /// Interactions end here; licences and releases lie around it.
  package let endsAt: Timestamp
  /// Before each id; two catalogues with different prefixes share no title.
  package let idPrefix: String
  /// So many titles in a hundred have another name, text and licences than without; ids and interactions stay.
  package let changePercent: Double
  package let changeSeed: UInt64
  let world: GeneratedWorld

  /// 2026-01-01, so that nothing depends on the day on which it is generated.
  package static let endsAtDefault = Timestamp(seconds: 1_767_225_600)

  package init(
    titleCount: Int, profileCount: Int, seed: UInt64, endsAt: Timestamp = Self.endsAtDefault,
    idPrefix: String = "syn-", changePercent: Double = 0, changeSeed: UInt64 = 0
  ) {
    precondition((1...Limits.titleCountMax).contains(titleCount) && profileCount >= 0)
    precondition(isValidID(idPrefix + "p-99999999") && (0...100).contains(changePercent))
    self.titleCount = titleCount
    self.profileCount = profileCount
    self.seed = seed
    self.endsAt = endsAt
    self.idPrefix = idPrefix
    self.changePercent = changePercent
    self.changeSeed = changeSeed
    world = GeneratedWorld(titleCount: titleCount, seed: seed)
  }

  /// Writes a workspace. `progress` gets titles and profiles made so far.
  package func write(
    to path: String, progress: (_ titles: Int, _ profiles: Int) -> Void = { _, _ in }
  ) throws(CatalogueFault) -> Workspace {
    let draft = try WorkspaceDraft(path: path, origin: origin, synthetic: true, seed: seed)
    for index in 0..<titleCount {
      try draft.add(title(index))
      if index % 50_000 == 0 { progress(index, 0) }
    }
    progress(titleCount, 0)
    let shelf = GeneratedShelf(self)
    for index in 0..<profileCount {
      for interaction in interactions(ofProfile: index, shelf: shelf) { try draft.add(interaction) }
      if index % 10_000 == 0 { progress(titleCount, index) }
    }
    progress(titleCount, profileCount)
    return try draft.finish()
  }

  private var origin: String {
    let change = changePercent > 0 ? ", \(changePercent) % changed with seed \(changeSeed)" : ""
    return "generated: \(titleCount) synthetic titles, seed \(seed)\(change)"
  }

  package func titleID(_ index: Int) -> String { idPrefix + padded(index, 7) }
  package func profileID(_ index: Int) -> String { idPrefix + "p-" + padded(index, 6) }

  /// What of a title its interactions depend on; the same before and after a change.
  struct Core {
    var cluster: Int
    var popularity: Double
    var released: Day
  }

  func core(_ index: Int) -> Core {
    var draw = Draw(seed: seed, stream: .title, index: index)
    let cluster = world.cluster(at: draw.unit())
    // Pareto: one title in a thousand is seen 60 times as often as most.
    let popularity = min(10_000, 1 / power(1 - draw.unit(), 0.6))
    let today = Int(Day(of: endsAt).number)
    let age = draw.unit() < 0.01 ? -1 - draw.below(60) : Int(draw.exponential(mean: 2500)) % 20_000
    return Core(cluster: cluster, popularity: popularity, released: Day(number: Int32(today - age)))
  }

  /// The cluster that a title is drawn from: what a good embedding finds again.
  package func clusterOfTitle(_ index: Int) -> Int { core(index).cluster }

  package func isChanged(_ index: Int) -> Bool {
    guard changePercent > 0 else { return false }
    var draw = Draw(seed: changeSeed, stream: .change, index: index)
    return draw.unit() * 100 < changePercent
  }

  package func title(_ index: Int) -> Title {
    let core = core(index)
    let cluster = world.clusters[core.cluster]
    let textSeed = isChanged(index) ? seed ^ (changeSeed &+ 1) &* 0x9e37_79b9_7f4a_7c15 : seed
    var draw = Draw(seed: textSeed, stream: .text, index: index)
    let genres = [cluster.genre] + (draw.unit() < 0.7 ? cluster.secondGenre.map { [$0] } ?? [] : [])
    let name = word(of: cluster, &draw).capitalised + " " + draw.word().capitalised
    let maturity = genres.map { GeneratedWorld.maturities[$0] }.max() ?? 0
    let cast = world.themePeople[cluster.themes[0]]
    let people = (0..<2).map { _ in cast[draw.skewed(cast.count, 1.5)] }
    let text = [
      "synopsis": words(24, of: cluster, &draw), "tags": words(5, of: cluster, &draw),
      "cast": people[0] == people[1] ? people[0] : people[0] + "; " + people[1],
    ]
    return Title(
      id: titleID(index), name: name, genres: genres.map { GeneratedWorld.genreNames[$0] },
      released: core.released, maturity: maturity,
      licences: licences(index, seed: textSeed, released: core.released), text: text)
  }

  private func words(_ count: Int, of cluster: GeneratedWorld.Cluster, _ draw: inout Draw) -> String {
    var text = ""
    text.reserveCapacity(count * 9)
    for index in 0..<count {
      if index > 0 { text += " " }
      text += word(of: cluster, &draw)
    }
    return text
  }

  /// Seven words in ten come from the cluster's themes, one or two from the cluster alone, the rest from everywhere.
  private func word(of cluster: GeneratedWorld.Cluster, _ draw: inout Draw) -> String {
    let source = draw.unit()
    if source < 0.7 {
      let share = Float(draw.unit())
      let theme = cluster.themes[share < cluster.themeShares[0] ? 0 : share < cluster.themeShares[1] ? 1 : 2]
      return world.themeWords[theme][draw.skewed(GeneratedWorld.wordsPerTheme, 1.7)]
    }
    if source < 0.85 { return cluster.words[draw.skewed(GeneratedWorld.wordsPerCluster, 1.3)] }
    return world.commonWords[draw.skewed(GeneratedWorld.commonWordCount, 2)]
  }

  private func licences(_ index: Int, seed: UInt64, released: Day) -> [Licence] {
    var draw = Draw(seed: seed, stream: .licence, index: index)
    let today = Day(of: endsAt).startSeconds
    func days(_ count: Int) -> Int64 { Int64(count) * 86_400 }
    let open = max(released.startSeconds, today - days(2000))
    switch draw.unit() {
    case ..<0.62: return [Licence(country: .everywhere, fromSeconds: released.startSeconds)]
    case ..<0.74:
      return [
        Licence(
          country: .everywhere, fromSeconds: open, toSeconds: max(open, today) + days(1 + draw.below(700)))
      ]
    case ..<0.95:
      // A few countries, each with a window of its own.
      var licences: [Licence] = []
      let first = draw.below(Self.countries.count)
      for step in 0..<(1 + draw.below(4)) {
        guard let country = CountryCode(Self.countries[(first + step * 5) % Self.countries.count]) else {
          continue
        }
        let from = open + days(draw.below(90))
        let to = draw.unit() < 0.5 ? Licence.openEnd : max(from, today) + days(1 + draw.below(400))
        licences.append(Licence(country: country, fromSeconds: from, toSeconds: to))
      }
      return licences
    case ..<0.98:
      let to = today - days(1 + draw.below(300))
      return [Licence(country: .everywhere, fromSeconds: to - days(365), toSeconds: to)]
    default: return [Licence(country: .everywhere, fromSeconds: today + days(1 + draw.below(90)))]
    }
  }
}
