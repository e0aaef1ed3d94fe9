internal import Base
internal import Catalogue
internal import Features
internal import Ranking
internal import Retrieval

/// Answers one request from one generation: features, retrieval, ranking, assembly, each within its budget, each with
/// a rung below it. Lives on a worker's thread, with the worker's scratch.
///
/// The generation is handed in once and held to the end, so nothing of another can come into the reply. The profile's
/// vector is made here from its history, inside of the generation's own space.
final class RankPipeline {
  private let histories: any HistorySource
  private let stages: RankStages
  private let time: any TimeSource
  private let scratch = RankScratch()

  init(histories: any HistorySource, stages: RankStages, time: any TimeSource) {
    self.histories = histories
    self.stages = stages
    self.time = time
  }

  /// The rows and how they came about. Throws `cancelled` or `deadlineExceeded` when nobody waits any more.
  func rank(_ job: RankJob, in generation: Generation, effort: Effort) throws(Fault) -> Outcome {
    let start = time.instant
    let now = time.now
    let key = Audiences.Key(
      country: CountryCode(ofRequest: job.request.country), maturityMax: job.request.maturityMax)
    var pass = Pass(
      job: job, generation: generation, audience: generation.audiences.audience(key, now: now),
      start: start, now: now)
    scratch.profile.removeAll()
    scratch.candidates.removeAll()
    pass.mark(.queue, from: job.submitted, to: pass.start)
    switch effort {
    case .popular: pass.rungs.append(.queueFull)
    case .full:
      try step(.features, &pass) { readProfile(&$0) }
      try step(.retrieval, &pass) { retrieve(&$0) }
      try step(.ranking, &pass) { score(&$0) }
    }
    var rows: [RankReply.Row] = []
    try step(.assembly, &pass) { pass in
      var assembly = Assembly(pass, scratch: scratch)
      rows = assembly.rows()
      pass.rungs = assembly.rungs
    }
    return Outcome(rows: rows, rungs: pass.rungs, stages: pass.times)
  }

  /// What the last request's retrieval gathered.
  var candidates: Candidates { scratch.candidates }

  struct Outcome {
    var rows: [RankReply.Row]
    var rungs: [Rung]
    var stages: [RankReply.StageTime]
  }

  private func step(_ stage: Stage, _ pass: inout Pass, _ body: (inout Pass) -> Void) throws(Fault) {
    let start = time.instant
    if pass.job.cancellation.isCancelled {
      throw Fault(.cancelled, "cancelled before the stage \(stage)")
    }
    guard start < pass.job.deadline else {
      throw Fault(.deadlineExceeded, "the deadline passed before the stage \(stage)")
    }
    body(&pass)
    pass.mark(stage, from: start, to: time.instant)
  }

  // MARK: Features

  private func readProfile(_ pass: inout Pass) {
    let generation = pass.generation
    guard let history = histories.history(pass.request.profileID, by: pass.plan.features) else {
      pass.rungs.append(.featuresLate)
      return
    }
    let features = ProfileFeatures.compute(history, definitions: generation.features, now: pass.now)
    scratch.profile.read(features, in: generation.catalogue, maturityMax: pass.request.maturityMax)
    guard time.instant <= pass.plan.features else {
      // What to leave out is known all the same; the vector and what hangs on it would make the rest late too.
      pass.rungs.append(.featuresLate)
      return
    }
    pass.hasVector = scratch.profile.vector(generation.vectors, to: query(generation))
    if !pass.hasVector { pass.rungs.append(.noHistory) }
    if pass.hasVector, let titles = generation.neighbours { scratch.profile.gatherNeighbours(titles) }
    if let last = scratch.profile.last { generation.vectors.copy(last, to: lastQuery(generation)) }
    pass.hasLast = pass.hasVector && scratch.profile.last != nil
  }

  private func query(_ generation: Generation) -> UnsafeMutableBufferPointer<Float> {
    UnsafeMutableBufferPointer(rebasing: scratch.vector[0..<generation.vectors.dimensions])
  }

  private func lastQuery(_ generation: Generation) -> UnsafeMutableBufferPointer<Float> {
    UnsafeMutableBufferPointer(rebasing: scratch.lastVector[0..<generation.vectors.dimensions])
  }

  // MARK: Ranking

  private func score(_ pass: inout Pass) {
    let generation = pass.generation
    let scoring = Scoring(
      generation: generation, scorer: stages.scorer, time: time, scratch: scratch, today: pass.now.days,
      vector: pass.hasVector ? UnsafeBufferPointer(query(generation)) : nil,
      last: pass.hasLast ? UnsafeBufferPointer(lastQuery(generation)) : nil)
    scoring.compare()
    guard !pass.rungs.contains(.popularOnly) else { return scoring.orderByRetrieval() }
    let cancellation = pass.job.cancellation
    if scoring.run(until: pass.plan.ranking, isCancelled: { cancellation.isCancelled }) { return }
    pass.rungs.append(.retrievalOrder)
    scoring.orderByRetrieval()
  }

  // MARK: Retrieval

  private func retrieve(_ pass: inout Pass) {
    var gathering = Gathering(
      generation: pass.generation, audience: pass.audience, retriever: stages.retriever, time: time,
      deadline: pass.plan.retrieval, scratch: scratch)
    let live = pass.generation.trending.live(
      pass.generation.catalogue, histories, pass.generation.features, time: time)
    gathering.run(
      context: pass.context, vector: pass.hasVector ? UnsafeBufferPointer(query(pass.generation)) : nil,
      last: pass.hasLast ? UnsafeBufferPointer(lastQuery(pass.generation)) : nil,
      trending: pass.audience.trending(live, pass.generation.catalogue),
      editorial: pass.generation.editorial(on: pass.request.surface))
    guard let rung = gathering.rung else { return }
    pass.rungs.append(rung)
    // What is left is popular titles and lists, in the order of popularity.
    if rung == .popularOnly { pass.hasVector = false }
  }
}

/// One request's way through the stages.
struct Pass {
  let job: RankJob
  let generation: Generation
  let start: Instant
  /// The moment that licences, windows and ages are reckoned for: one for the whole request.
  let now: Timestamp
  let plan: StagePlan
  /// The title that the request is about, if the generation has it and its name may be read here.
  let context: UInt32?
  let audience: Audience
  var hasVector = false
  var hasLast = false
  var rungs: [Rung] = []
  var times: [RankReply.StageTime] = []

  var request: RankRequest { job.request }

  init(job: RankJob, generation: Generation, audience: Audience, start: Instant, now: Timestamp) {
    self.job = job
    self.generation = generation
    precondition(audience.allowed.isValid(at: now), "an audience of this moment")
    self.audience = audience
    self.start = start
    self.now = now
    plan = StagePlan(generation.policy.budgets, from: start, deadline: job.deadline)
    let id = job.request.contextTitleID
    context =
      id.isEmpty
      ? nil
      : generation.catalogue.ordinal(ofID: id).flatMap {
        generation.catalogue.maturity($0) <= job.request.maturityMax ? $0 : nil
      }
    times.reserveCapacity(Stage.allCases.count)
  }

  mutating func mark(_ stage: Stage, from: Instant, to: Instant) {
    let microseconds = to.nanoseconds(since: from) / 1000
    times.append(RankReply.StageTime(stage: stage, microseconds: UInt32(clamping: microseconds)))
  }
}

extension Timestamp {
  /// Days since 1970, with their fraction.
  var days: Float { Float(Double(milliseconds) / 86_400_000) }
}
