package import Base

extension Policy {
  package static let budgetMillisecondsMax = 10_000
  package static let pinCountMax = 1000
  package static let editorialCountMax = 64
  /// More than a list ever brings: quotas are of all candidates.
  package static let editorialTitleCountMax = 1000

  /// What the types alone don't say. Throws the first fault, with the path of its key.
  package func check() throws(Refusal) {
    try checkRows()
    try checkNumbers()
    try checkPins()
    try checkEditorial()
  }

  private func checkRows() throws(Refusal) {
    try require(
      (1...Limits.rowCountMax).contains(rows.count), "rows", "1 to \(Limits.rowCountMax) belong here")
    try require(
      rows.contains { $0.kind == .topPicks && $0.surfaces.isEmpty }, "rows",
      "needs a row of kind top_picks on every surface, so that no reply is empty")
    for (index, row) in rows.enumerated() {
      let place = "rows[\(index)]"
      try require(isID(row.id), "\(place).id", "is empty or longer than \(Limits.idByteCountMax) bytes")
      try require(!rows[..<index].contains { $0.id == row.id }, "\(place).id", "\(row.id) is there twice")
      try require(
        (1...256).contains(row.name.utf8.count), "\(place).name", "is empty or longer than 256 bytes")
      try require(
        (1...Limits.titlesPerRowMax).contains(row.titleCount), "\(place).title_count",
        "is \(row.titleCount), 1 to \(Limits.titlesPerRowMax) belong here")
      try require(
        row.surfaces.count <= 16 && row.surfaces.allSatisfy(isID), "\(place).surfaces", "has no name")
    }
  }

  private func checkNumbers() throws(Refusal) {
    let stages = [
      ("features", budgets.featuresMilliseconds), ("retrieval", budgets.retrievalMilliseconds),
      ("ranking", budgets.rankingMilliseconds), ("assembly", budgets.assemblyMilliseconds),
    ]
    for (stage, milliseconds) in stages {
      try require(
        (1...Self.budgetMillisecondsMax).contains(milliseconds), "budgets.\(stage)_milliseconds",
        "is \(milliseconds), 1 to \(Self.budgetMillisecondsMax) belong here")
    }
    let sources = [
      ("similar", quotas.similar), ("co_watched", quotas.coWatched),
      ("continue_watching", quotas.continueWatching),
      ("because_you_watched", quotas.becauseYouWatched), ("trending", quotas.trending), ("new", quotas.new),
      ("popular", quotas.popular), ("editorial", quotas.editorial),
    ]
    for (source, quota) in sources {
      try require(
        (0...Limits.candidateCountMax).contains(quota), "quotas.\(source)",
        "is \(quota), 0 to \(Limits.candidateCountMax) belong here")
    }
    try require(
      (1...Limits.candidateCountMax).contains(quotas.total), "quotas",
      "are \(quotas.total) together, 1 to \(Limits.candidateCountMax) belong here")
    try require(
      diversity.genreShareMax > 0 && diversity.genreShareMax <= 1, "diversity.genre_share_max",
      "is \(diversity.genreShareMax), more than 0 and at most 1 belongs here")
    try require(
      recencyBoost.weight >= 0 && recencyBoost.weight <= 10, "recency_boost.weight",
      "is \(recencyBoost.weight), 0 to 10 belong here")
    try require(
      recencyBoost.halfLifeDays > 0 && recencyBoost.halfLifeDays <= 36_500, "recency_boost.half_life_days",
      "is \(recencyBoost.halfLifeDays), more than 0 and at most 36500 belong here")
  }

  private func checkPins() throws(Refusal) {
    try require(pins.count <= Self.pinCountMax, "pins", "are \(pins.count), \(Self.pinCountMax) at most")
    for (index, pin) in pins.enumerated() {
      let place = "pins[\(index)]"
      try require(
        isID(pin.titleID), "\(place).title", "is empty or longer than \(Limits.idByteCountMax) bytes")
      guard let row = rows.first(where: { $0.id == pin.rowID }) else {
        throw Refusal(.malformed, at: "policy.\(place).row", "no row is called \(pin.rowID.prefix(128))")
      }
      try require(
        (0..<row.titleCount).contains(pin.position), "\(place).position",
        "is \(pin.position), row \(row.id) has positions 0 to \(row.titleCount - 1)")
    }
  }

  private func checkEditorial() throws(Refusal) {
    try require(
      editorial.count <= Self.editorialCountMax, "editorial",
      "has \(editorial.count) lists, \(Self.editorialCountMax) at most")
    for (index, list) in editorial.enumerated() {
      let place = "editorial[\(index)]"
      try require(isID(list.id), "\(place).id", "is empty or longer than \(Limits.idByteCountMax) bytes")
      try require(
        !editorial[..<index].contains { $0.id == list.id }, "\(place).id", "\(list.id) is there twice")
      try require(
        list.titleIDs.count <= Self.editorialTitleCountMax && list.titleIDs.allSatisfy(isID),
        "\(place).titles", "has more than \(Self.editorialTitleCountMax) titles, or one without an id")
      try require(
        list.surfaces.count <= 16 && list.surfaces.allSatisfy(isID), "\(place).surfaces", "has no name")
    }
    try require(
      editorial.isEmpty || quotas.editorial > 0, "quotas.editorial", "is 0, so editorial lists bring nothing")
  }

  private func isID(_ text: String) -> Bool { (1...Limits.idByteCountMax).contains(text.utf8.count) }

  private func require(
    _ holds: Bool, _ path: String, _ message: @autoclosure () -> String
  ) throws(Refusal) {
    guard holds else { throw Refusal(.malformed, at: "policy.\(path)", message()) }
  }
}
