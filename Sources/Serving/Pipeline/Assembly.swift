internal import Base
internal import Catalogue

/// The stage assembly: candidates to rows, by the policy's rules. Ordinals become strings here and not before.
///
/// Licence and maturity are asked for each title that is shown, on every rung, whatever brought it: of the audience, which
/// is valid at the request's moment, or of the title itself. A title is shown
/// once in a reply. A row that would be empty is left out, and the row of top picks never is while anything is licensed.
struct Assembly {
  private let pass: Pass
  private let scratch: RankScratch
  private let catalogue: CatalogueView
  private let country: CountryCode
  private(set) var rungs: [Rung]
  private var isShort = false

  init(_ pass: Pass, scratch: RankScratch) {
    self.pass = pass
    self.scratch = scratch
    catalogue = pass.generation.catalogue
    country = CountryCode(ofRequest: pass.request.country)
    rungs = pass.rungs
  }

  /// A title on its way into a row.
  private struct Placed {
    var ordinal: UInt32
    var score: Float
    var source: CandidateSource
  }

  private struct Draft {
    var row: Policy.Row
    var count: Int
    var pinned: [(position: Int, placed: Placed)] = []
    var titles: [Placed] = []
  }

  mutating func rows() -> [RankReply.Row] {
    scratch.shown.removeAll()
    if let context = pass.context { _ = scratch.shown.insert(context, 0) }
    sortCandidates()
    var drafts = pass.generation.policy.rows.filter { shows($0) }.map { row in
      Draft(row: row, count: pass.request.titlesPerRow == 0 ? row.titleCount : pass.request.titlesPerRow)
    }
    for index in drafts.indices { pin(&drafts[index]) }
    // Rows about single titles choose first: theirs are few, and the others have many.
    let order = drafts.indices.sorted { (rank(drafts[$0]), $0) < (rank(drafts[$1]), $1) }
    for index in order { fill(&drafts[index]) }
    if let index = drafts.firstIndex(where: { $0.row.kind == .topPicks }), drafts[index].titles.isEmpty {
      fillByLastResort(&drafts[index])
    }
    if isShort { rungs.append(.shortRow) }
    return drafts.filter { !$0.titles.isEmpty }.map { reply($0) }
  }

  private func shows(_ row: Policy.Row) -> Bool {
    guard row.surfaces.isEmpty || row.surfaces.contains(pass.request.surface) else { return false }
    return row.kind != .moreLikeThis || pass.context != nil
  }

  private func rank(_ draft: Draft) -> Int {
    switch draft.row.kind {
    case .continueWatching: 0
    case .moreLikeThis: 1
    case .topPicks, .becauseYouWatched, .trending, .new: 2
    }
  }

  // MARK: What may be shown

  /// What the audience allows is licensed at this moment; of the rest the windows are asked.
  private func isPermitted(_ ordinal: UInt32) -> Bool {
    pass.audience.allowed.bitmap[Int(ordinal)]
      || (catalogue.isLive(ordinal) && catalogue.maturity(ordinal) <= pass.request.maturityMax
        && catalogue.isLicensed(ordinal, country, at: pass.now))
  }

  /// Takes the title for a row, if it may be shown and isn't yet.
  private func take(_ ordinal: UInt32) -> Bool {
    guard !scratch.shown.contains(ordinal), !scratch.profile.excluded.contains(ordinal),
      isPermitted(ordinal), scratch.shown.count < scratch.shown.countMax
    else { return false }
    return scratch.shown.insert(ordinal, 0) == nil
  }

  // MARK: Order

  /// Keys whose order as numbers is that of the scores, falling, ties by what came first.
  private func sortCandidates() {
    scratch.order.removeAll(keepingCapacity: true)
    for index in 0..<scratch.candidates.count {
      let bits = scratch.candidates.scores[index].bitPattern
      let rising = bits >> 31 == 1 ? ~bits : bits | 1 << 31
      scratch.order.append(UInt64(~rising) << 32 | UInt64(index))
    }
    scratch.order.sort()
  }

  private func placed(candidate index: Int, _ source: CandidateSource? = nil) -> Placed {
    Placed(
      ordinal: scratch.candidates.ordinals[index], score: scratch.candidates.scores[index],
      source: source ?? scratch.candidates.firstSources[index])
  }

  /// A title that may be no candidate: its score is its popularity then.
  private func placed(_ ordinal: UInt32, _ source: CandidateSource) -> Placed {
    if let index = scratch.candidates.index(of: ordinal) { return placed(candidate: index, source) }
    return Placed(ordinal: ordinal, score: catalogue.popularity(ordinal), source: source)
  }

  // MARK: Filling

  private func pin(_ draft: inout Draft) {
    for pin in pass.generation.pins[draft.row.id] ?? []
    where pin.position < draft.count && (pin.surface.isEmpty || pin.surface == pass.request.surface) {
      guard !draft.pinned.contains(where: { $0.position == pin.position }), take(pin.ordinal) else {
        continue
      }
      let source = scratch.candidates.index(of: pin.ordinal).map { scratch.candidates.firstSources[$0] }
      draft.pinned.append((pin.position, placed(pin.ordinal, source ?? .popular)))
    }
    draft.pinned.sort { $0.position < $1.position }
  }

  private mutating func fill(_ draft: inout Draft) {
    let room = draft.count - draft.pinned.count
    var titles: [Placed] = []
    titles.reserveCapacity(draft.count)
    switch draft.row.kind {
    case .topPicks:
      pickDiverse(&titles, room)
      fill(&titles, pass.audience.popular, .popular, room)
    case .continueWatching:
      fill(&titles, scratch.profile.continueWatching, .continueWatching, room)
    case .becauseYouWatched:
      guard scratch.profile.last != nil else { return }
      fillByScore(&titles, .becauseYouWatched, room)
    case .trending:
      fillInOrder(&titles, Candidates.Sources(.trending), .trending, room)
      fill(&titles, pass.audience.trending, .trending, room)
      fill(&titles, pass.audience.popular, .popular, room)
    case .new:
      fillByScore(&titles, .new, room)
      fill(&titles, pass.audience.new, .new, room)
    case .moreLikeThis:
      fillInOrder(&titles, .context, .similar, room)
    }
    // A row about what was watched needs something of its own; the others may stand on their pins.
    let isOwn = draft.row.kind == .continueWatching || draft.row.kind == .becauseYouWatched
    guard !titles.isEmpty || (!isOwn && !draft.pinned.isEmpty) else {
      if !isOwn && draft.row.kind != .moreLikeThis { isShort = true }
      return
    }
    switch draft.row.kind {
    case .topPicks, .trending, .new: if titles.count < room { isShort = true }
    case .continueWatching, .becauseYouWatched, .moreLikeThis: break
    }
    for (position, pinned) in draft.pinned { titles.insert(pinned, at: min(position, titles.count)) }
    draft.titles = titles
  }

  private func fill(_ titles: inout [Placed], _ ordinals: [UInt32], _ source: CandidateSource, _ room: Int) {
    for ordinal in ordinals {
      guard titles.count < room else { return }
      if take(ordinal) { titles.append(placed(ordinal, source)) }
    }
  }

  /// Candidates of one source by score.
  private func fillByScore(_ titles: inout [Placed], _ source: CandidateSource, _ room: Int) {
    for key in scratch.order {
      guard titles.count < room else { return }
      let index = Int(truncatingIfNeeded: key & 0xffff_ffff)
      guard scratch.candidates.sources[index].contains(Candidates.Sources(source)),
        take(scratch.candidates.ordinals[index])
      else { continue }
      titles.append(placed(candidate: index, source))
    }
  }

  /// Candidates of one kind in the order in which they were found.
  private func fillInOrder(
    _ titles: inout [Placed], _ sources: Candidates.Sources, _ source: CandidateSource, _ room: Int
  ) {
    for index in 0..<scratch.candidates.count {
      guard titles.count < room else { return }
      guard scratch.candidates.sources[index].contains(sources), take(scratch.candidates.ordinals[index])
      else {
        continue
      }
      titles.append(placed(candidate: index, source))
    }
  }

  /// The best candidates, but no genre on more than its share of the row while others are there.
  private func pickDiverse(_ titles: inout [Placed], _ room: Int) {
    let share = pass.generation.policy.diversity.genreShareMax
    let countMax = max(1, Int((Double(room) * share).rounded(.down)))
    var counts = [Int](repeating: 0, count: 64)
    for isSecondRound in [false, true] {
      for key in scratch.order {
        guard titles.count < room else { return }
        let index = Int(truncatingIfNeeded: key & 0xffff_ffff)
        let ordinal = scratch.candidates.ordinals[index]
        let genres = catalogue.genres(ordinal)
        guard isSecondRound || !genres.hasMember(where: { counts[$0] >= countMax }), take(ordinal) else {
          continue
        }
        _ = genres.hasMember {
          counts[$0] += 1
          return false
        }
        titles.append(placed(candidate: index))
      }
    }
  }

  /// Nothing was left for the top picks: whatever is licensed, exactly at this moment, though it was watched to the
  /// end, turned down, or stands in another row.
  private mutating func fillByLastResort(_ draft: inout Draft) {
    isShort = true
    let audience = Audience(
      catalogue, index: nil, country: country, maturityMax: pass.request.maturityMax, at: pass.now,
      holdingSeconds: 0)
    for ordinal in audience.popular where draft.titles.count < draft.count {
      if ordinal != pass.context, isPermitted(ordinal) { draft.titles.append(placed(ordinal, .popular)) }
    }
    if draft.titles.isEmpty, let context = pass.context, isPermitted(context) {
      draft.titles = [placed(context, .popular)]
    }
  }

  // MARK: The reply

  private func reply(_ draft: Draft) -> RankReply.Row {
    let about: UInt32? =
      switch draft.row.kind {
      case .becauseYouWatched: scratch.profile.last
      case .moreLikeThis: pass.context
      case .topPicks, .continueWatching, .trending, .new: nil
      }
    let name = about.map { draft.row.name.replacing("{title}", with: catalogue.name($0)) } ?? draft.row.name
    return RankReply.Row(
      id: draft.row.id, name: name,
      titles: draft.titles.map {
        RankReply.RankedTitle(text: catalogue.text($0.ordinal), score: $0.score, source: $0.source)
      }, memory: pass.generation)
  }
}

extension UInt64 {
  /// Whether one of the set's members is what is asked for.
  fileprivate func hasMember(where holds: (Int) -> Bool) -> Bool {
    var bits = self
    while bits != 0 {
      if holds(bits.trailingZeroBitCount) { return true }
      bits &= bits - 1
    }
    return false
  }
}
