/// The rules of a snapshot: which rows a surface shows, how long each stage may take, where candidates come from, and
/// what editors want. Written as JSON in `Regions/policy/policy.json`, carried to every replica in `policy/all`.
///
/// What is not here can't be changed by policy: licences and maturity hold on every rung.
package struct Policy: Sendable, Equatable {
  package static let formatVersion = 1

  /// In the order in which a reply shows them. A row that does not name the surface is not shown on it.
  package var rows: [Row]
  package var budgets: Budgets
  package var quotas: Quotas
  package var diversity: Diversity
  package var recencyBoost: RecencyBoost
  package var pins: [Pin]
  package var editorial: [EditorialList]

  package struct Row: Sendable, Equatable, Codable {
    package var id: String
    /// For people; `{title}` stands for the title that the row is about.
    package var name: String
    package var kind: Kind
    package var titleCount: Int
    /// Empty is every surface.
    package var surfaces: [String]

    enum CodingKeys: String, CodingKey, CaseIterable {
      case id, name, kind, surfaces
      case titleCount = "title_count"
    }

    package init(id: String, name: String, kind: Kind, titleCount: Int, surfaces: [String] = []) {
      self.id = id
      self.name = name
      self.kind = kind
      self.titleCount = titleCount
      self.surfaces = surfaces
    }

    /// What fills a row.
    package enum Kind: String, Sendable, CaseIterable, Codable {
      /// The best of all candidates.
      case topPicks = "top_picks"
      /// Started and not completed, last watched first.
      case continueWatching = "continue_watching"
      /// Like the title that was last watched.
      case becauseYouWatched = "because_you_watched"
      case trending
      case new
      /// Like the title that the request is about.
      case moreLikeThis = "more_like_this"
    }
  }

  /// How long a stage may take before the rung below it is taken. Their sum is the contract.
  package struct Budgets: Sendable, Equatable, Codable {
    package var featuresMilliseconds: Int
    package var retrievalMilliseconds: Int
    package var rankingMilliseconds: Int
    package var assemblyMilliseconds: Int

    package var totalMilliseconds: Int {
      featuresMilliseconds + retrievalMilliseconds + rankingMilliseconds + assemblyMilliseconds
    }

    package static let `default` = Budgets(
      featuresMilliseconds: 10, retrievalMilliseconds: 15, rankingMilliseconds: 15, assemblyMilliseconds: 10)

    enum CodingKeys: String, CodingKey, CaseIterable {
      case featuresMilliseconds = "features_milliseconds"
      case retrievalMilliseconds = "retrieval_milliseconds"
      case rankingMilliseconds = "ranking_milliseconds"
      case assemblyMilliseconds = "assembly_milliseconds"
    }

    package init(
      featuresMilliseconds: Int, retrievalMilliseconds: Int, rankingMilliseconds: Int,
      assemblyMilliseconds: Int
    ) {
      self.featuresMilliseconds = featuresMilliseconds
      self.retrievalMilliseconds = retrievalMilliseconds
      self.rankingMilliseconds = rankingMilliseconds
      self.assemblyMilliseconds = assemblyMilliseconds
    }
  }

  /// Candidates by source, at most.
  package struct Quotas: Sendable, Equatable, Codable {
    package var similar: Int
    /// Shared by many with what the profile watched.
    package var coWatched: Int
    package var continueWatching: Int
    package var becauseYouWatched: Int
    package var trending: Int
    package var new: Int
    package var popular: Int
    /// From the editorial lists, all of a surface together.
    package var editorial: Int

    package var total: Int {
      similar + coWatched + continueWatching + becauseYouWatched + trending + new + popular + editorial
    }

    package static let `default` = Quotas(
      similar: 120, coWatched: 210, continueWatching: 20, becauseYouWatched: 30, trending: 50, new: 40,
      popular: 30)

    enum CodingKeys: String, CodingKey, CaseIterable {
      case similar, trending, new, popular, editorial
      case coWatched = "co_watched"
      case continueWatching = "continue_watching"
      case becauseYouWatched = "because_you_watched"
    }

    package init(
      similar: Int, coWatched: Int = 0, continueWatching: Int, becauseYouWatched: Int, trending: Int,
      new: Int, popular: Int, editorial: Int = 0
    ) {
      self.similar = similar
      self.coWatched = coWatched
      self.continueWatching = continueWatching
      self.becauseYouWatched = becauseYouWatched
      self.trending = trending
      self.new = new
      self.popular = popular
      self.editorial = editorial
    }
  }

  /// Titles that editors want ranked beside what retrieval finds, the first ones first. They stand in a row for their score
  /// only; what must stand at a position is a ``Pin``.
  package struct EditorialList: Sendable, Equatable, Codable {
    package var id: String
    package var titleIDs: [String]
    /// Empty is every surface.
    package var surfaces: [String]

    enum CodingKeys: String, CodingKey, CaseIterable {
      case id, surfaces
      case titleIDs = "titles"
    }

    package init(id: String, titleIDs: [String], surfaces: [String] = []) {
      self.id = id
      self.titleIDs = titleIDs
      self.surfaces = surfaces
    }
  }

  package struct Diversity: Sendable, Equatable, Codable {
    /// At most this part of the top picks shares its first genre, as long as others are there. 0 < x ≤ 1.
    package var genreShareMax: Double

    enum CodingKeys: String, CodingKey, CaseIterable {
      case genreShareMax = "genre_share_max"
    }

    package init(genreShareMax: Double) { self.genreShareMax = genreShareMax }
  }

  /// Added to a title's score: `weight` at its release, a half of it after `halfLifeDays`.
  package struct RecencyBoost: Sendable, Equatable, Codable {
    package var weight: Double
    package var halfLifeDays: Double

    enum CodingKeys: String, CodingKey, CaseIterable {
      case weight
      case halfLifeDays = "half_life_days"
    }

    package init(weight: Double, halfLifeDays: Double) {
      self.weight = weight
      self.halfLifeDays = halfLifeDays
    }
  }

  /// A title that stands at a position of a row, if the profile may see it there.
  package struct Pin: Sendable, Equatable, Codable {
    package var titleID: String
    package var rowID: String
    /// Empty is every surface.
    package var surface: String
    /// From 0.
    package var position: Int

    enum CodingKeys: String, CodingKey, CaseIterable {
      case surface, position
      case titleID = "title"
      case rowID = "row"
    }

    package init(titleID: String, rowID: String, surface: String = "", position: Int) {
      self.titleID = titleID
      self.rowID = rowID
      self.surface = surface
      self.position = position
    }
  }

  package init(
    rows: [Row], budgets: Budgets = .default, quotas: Quotas = .default,
    diversity: Diversity = Diversity(genreShareMax: 0.5),
    recencyBoost: RecencyBoost = RecencyBoost(weight: 0.05, halfLifeDays: 30), pins: [Pin] = [],
    editorial: [EditorialList] = []
  ) {
    self.rows = rows
    self.budgets = budgets
    self.quotas = quotas
    self.diversity = diversity
    self.recencyBoost = recencyBoost
    self.pins = pins
    self.editorial = editorial
  }

  package static let `default` = Policy(rows: [
    Row(
      id: "more_like_this", name: "More like {title}", kind: .moreLikeThis, titleCount: 20,
      surfaces: ["detail"]),
    Row(id: "top_picks", name: "Top picks for you", kind: .topPicks, titleCount: 20),
    Row(
      id: "continue_watching", name: "Continue watching", kind: .continueWatching, titleCount: 10,
      surfaces: ["home"]),
    Row(
      id: "because_you_watched", name: "Because you watched {title}", kind: .becauseYouWatched,
      titleCount: 20, surfaces: ["home"]),
    Row(id: "trending", name: "Trending now", kind: .trending, titleCount: 20),
    Row(id: "new", name: "New", kind: .new, titleCount: 20, surfaces: ["home"]),
  ])
}
