import Base
import Features
import Ranking
import Retrieval
import Synchronization

@testable import Serving

/// Histories in memory that may be slow, or not come at all.
final class TestHistories: HistorySource {
  struct State {
    var events: [String: [Event]] = [:]
    var trending: [TrendingTitle] = []
    var isMissing = false
    var beforeHistory: (@Sendable () -> Void)?
  }

  let state = Mutex(State())

  func history(_ profileID: String, by deadline: Instant) -> ProfileHistory? {
    let (events, isMissing, before) = state.withLock {
      ($0.events[profileID] ?? [], $0.isMissing, $0.beforeHistory)
    }
    before?()
    return isMissing ? nil : ProfileHistory(events)
  }

  func trending(now: Timestamp, limit: Int, definitions: FeatureDefinitions.Trending) -> [TrendingTitle] {
    state.withLock { Array($0.trending.prefix(limit)) }
  }

  /// `kind` of each title, the later the newer.
  func watch(_ profile: String, _ titles: [String], _ kind: Event.Kind = .complete, progress: Float = 0) {
    state.withLock { state in
      for title in titles {
        let number = Int64(state.events[profile, default: []].count)
        state.events[profile, default: []].append(
          Event(
            id: "\(profile)-\(number)-\(title)", profileID: profile, titleID: title, kind: kind,
            at: TestSnapshot.now.advanced(bySeconds: -3600 + number), progress: progress))
      }
    }
  }
}

/// The real index, after something happened.
struct TestRetriever: Retriever {
  var before: @Sendable () -> Void = {}
  /// What the outcome is made into.
  var change: @Sendable (inout SearchOutcome) -> Void = { _ in }

  func search(
    _ query: UnsafeBufferPointer<Float>, k: Int, allowed: OrdinalFilter, in generation: Generation,
    deadline: Instant, time: any TimeSource, scratch: SearchScratch
  ) -> SearchOutcome {
    before()
    var outcome = IndexRetriever().search(
      query, k: k, allowed: allowed, in: generation, deadline: deadline, time: time, scratch: scratch)
    change(&outcome)
    return outcome
  }
}

/// The real ranker, after something happened.
struct TestScorer: Scorer {
  var before: @Sendable () -> Void = {}

  func score(
    _ rows: UnsafeBufferPointer<Float>, count: Int, into scores: UnsafeMutableBufferPointer<Float>,
    in generation: Generation, scratch: RankerScratch
  ) {
    before()
    ModelScorer().score(rows, count: count, into: scores, in: generation, scratch: scratch)
  }
}

/// One pipeline over one generation.
struct TestKitchen {
  let time: ManualTime
  let histories = TestHistories()
  let generation: Generation
  var stages = RankStages()

  init(_ snapshot: TestSnapshot, time: ManualTime = ManualTime(now: TestSnapshot.now)) throws {
    self.time = time
    generation = try snapshot.open(time: time)
  }

  func rank(
    _ request: RankRequest, effort: Effort = .full, deadlineMilliseconds: UInt64 = 1000,
    cancellation: Cancellation = Cancellation()
  ) throws(Fault) -> RankPipeline.Outcome {
    let job = RankJob(
      request: request, submitted: time.instant,
      deadline: time.instant.advanced(byMilliseconds: deadlineMilliseconds), cancellation: cancellation
    ) { _ in }
    return try RankPipeline(histories: histories, stages: stages, time: time).rank(
      job, in: generation, effort: effort)
  }
}

extension RankRequest {
  static func test(
    _ profile: String = "p", surface: String = "home", country: String = "DE", maturityMax: UInt8 = 18,
    titlesPerRow: Int = 0, context: String = ""
  ) -> RankRequest {
    RankRequest(
      requestID: "r", profileID: profile, surface: surface, country: country, maturityMax: maturityMax,
      titlesPerRow: titlesPerRow, contextTitleID: context)
  }
}

extension RankPipeline.Outcome {
  func row(_ id: String) -> RankReply.Row? { rows.first { $0.id == id } }
  var titleIDs: [String] { rows.flatMap { $0.titles.map(\.id) } }
}
