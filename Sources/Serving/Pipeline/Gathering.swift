internal import Base
internal import Catalogue
internal import Ranking
internal import Retrieval

/// The stage retrieval: gathers one request's candidates from all sources, each up to its quota, until the deadline.
struct Gathering {
  let generation: Generation
  let audience: Audience
  let retriever: any Retriever
  let time: any TimeSource
  let deadline: Instant
  let scratch: RankScratch
  private(set) var rung: Rung?
  private var context: UInt32?

  init(
    generation: Generation, audience: Audience, retriever: any Retriever, time: any TimeSource,
    deadline: Instant, scratch: RankScratch
  ) {
    self.generation = generation
    self.audience = audience
    self.retriever = retriever
    self.time = time
    self.deadline = deadline
    self.scratch = scratch
  }

  /// The vectors are `nil` where there are none. What the request is about comes first, since the surface is about it.
  mutating func run(
    context: UInt32?, vector: UnsafeBufferPointer<Float>?, last: UnsafeBufferPointer<Float>?,
    trending: [UInt32], editorial: [[UInt32]]
  ) {
    self.context = context
    let quotas = generation.policy.quotas
    addContinueWatching(quotas.continueWatching)
    if let context { searchLike(context, quotas.becauseYouWatched) }
    if let vector { search(vector, .similar, quotas.similar) }
    if let last, rung != .popularOnly { search(last, .becauseYouWatched, quotas.becauseYouWatched) }
    addEditorial(editorial, quotas.editorial)
    add(trending, .trending, quotas.trending)
    add(audience.new, .new, quotas.new)
    add(audience.popular, .popular, quotas.popular)
    // What other sources brought twice leaves room: for these first, and for what is popular where they end.
    if vector != nil, rung != .popularOnly, quotas.coWatched > 0 {
      addCoWatched(max(quotas.coWatched, quotas.total - scratch.candidates.count))
    }
    let room = quotas.total - scratch.candidates.count
    if room > 0 { add(audience.popular, .popular, quotas.popular + room) }
  }

  private func isAllowed(_ ordinal: UInt32) -> Bool {
    audience.allowed.bitmap[Int(ordinal)] && ordinal != context && !scratch.profile.excluded.contains(ordinal)
  }

  private mutating func addContinueWatching(_ quota: Int) {
    for (place, ordinal) in scratch.profile.continueWatching.prefix(quota).enumerated()
    where isAllowed(ordinal) {
      scratch.candidates.add(ordinal, .continueWatching, score: Self.score(ofPlace: place))
    }
  }

  /// A candidate that is there already counts too: what a row shows is in the lists of all its sources.
  private mutating func add(_ ordinals: [UInt32], _ source: CandidateSource, _ quota: Int) {
    var room = quota
    for (place, ordinal) in ordinals.enumerated() {
      guard room > 0 else { return }
      guard isAllowed(ordinal) else { continue }
      scratch.candidates.add(ordinal, source, score: Self.score(ofPlace: place))
      room -= 1
    }
  }

  /// The first of each list, then the second of each, and so on: no list is only there once another has ended.
  private mutating func addEditorial(_ lists: [[UInt32]], _ quota: Int) {
    var room = quota
    for place in 0..<(lists.map(\.count).max() ?? 0) {
      for list in lists where place < list.count && isAllowed(list[place]) {
        guard room > 0 else { return }
        scratch.candidates.add(list[place], .editorial, score: Self.score(ofPlace: place))
        room -= 1
      }
    }
  }

  private static func score(ofPlace place: Int) -> Float { 1 / Float(place + 1) }

  /// Who watched the same watched these too: alike by people, where a vector's neighbours are alike in what they are.
  private mutating func addCoWatched(_ quota: Int) {
    var keys: [UInt64] = []
    swap(&keys, &scratch.keys)
    scratch.profile.ranked.neighbours.best(quota, into: &keys) {
      isAllowed($0) && !scratch.profile.met.contains($0) && scratch.candidates.index(of: $0) == nil
    } body: {
      scratch.candidates.add($0, .coWatched, score: scratch.profile.ranked.neighbours.values($0).sum)
    }
    swap(&keys, &scratch.keys)
  }

  private mutating func searchLike(_ context: UInt32, _ quota: Int) {
    // The vector of the title last watched comes later into the same place.
    var query = [Float](repeating: 0, count: generation.vectors.dimensions)
    query.withUnsafeMutableBufferPointer { generation.vectors.copy(context, to: $0) }
    query.withUnsafeBufferPointer { search($0, nil, quota) }
  }

  /// `source` `nil` is the title that the request is about.
  private mutating func search(
    _ query: UnsafeBufferPointer<Float>, _ source: CandidateSource?, _ quota: Int
  ) {
    guard quota > 0 else { return }
    let outcome = found(query, min(quota + scratch.profile.excluded.count + 1, Candidates.countMax))
    // The rung says what the profile's own candidates are like; the others only add to them.
    if source != .becauseYouWatched, outcome.isPartial {
      rung = outcome.count == 0 ? .popularOnly : rung ?? .retrievalPartial
    } else if outcome.isPartial {
      rung = rung ?? .retrievalPartial
    }
    var room = quota
    for place in 0..<outcome.count where room > 0 {
      let ordinal = scratch.search.ordinals[place]
      // The filter has done this already, but for what is left out; a retriever is not believed.
      guard Int(ordinal) < generation.catalogue.count, isAllowed(ordinal) else { continue }
      scratch.candidates.add(ordinal, source ?? .similar, score: scratch.search.scores[place])
      if source == nil, let index = scratch.candidates.index(of: ordinal) {
        scratch.candidates.mark(index, .context)
      }
      room -= 1
    }
  }

  private func found(_ query: UnsafeBufferPointer<Float>, _ count: Int) -> SearchOutcome {
    audience.allowed.bitmap.words.withUnsafeBufferPointer { words in
      guard let start = words.baseAddress else { return SearchOutcome() }
      let filter = OrdinalFilter(
        words: start, bitCount: audience.allowed.bitmap.count, allowedCount: audience.allowed.count,
        placed: audience.placed)
      var outcome = retriever.search(
        query, k: count, allowed: filter, in: generation, deadline: deadline, time: time,
        scratch: scratch.search)
      outcome.count = min(max(outcome.count, 0), count)
      return outcome
    }
  }
}
