import Base
import Catalogue
import Features
import Retrieval
import Synchronization
import Testing

@testable import Serving

@Suite struct LadderTests {
  private func kitchen(_ snapshot: TestSnapshot = TestSnapshot()) throws -> TestKitchen {
    let kitchen = try TestKitchen(snapshot)
    kitchen.histories.watch("p", ["a2", "a8", "a14"])
    return kitchen
  }

  @Test func `features that don't come are a rung, and popular titles stand in`() throws {
    let kitchen = try kitchen()
    kitchen.histories.state.withLock { $0.isMissing = true }
    let outcome = try kitchen.rank(.test())
    #expect(outcome.rungs == [.featuresLate])
    #expect(outcome.row("top_picks")?.titles.count == 20)
  }

  @Test func `features that come late still say what to leave out`() throws {
    let kitchen = try kitchen()
    let time = kitchen.time
    kitchen.histories.state.withLock { $0.beforeHistory = { time.advance(milliseconds: 11) } }
    let outcome = try kitchen.rank(.test())
    #expect(outcome.rungs == [.featuresLate])
    #expect(Set(outcome.titleIDs).isDisjoint(with: ["a2", "a8", "a14"]))
    #expect(outcome.stages.first { $0.stage == .features }?.microseconds == 11_000)
  }

  @Test func `retrieval that is cut short is a rung, and its finds are used`() throws {
    var kitchen = try kitchen()
    kitchen.stages.retriever = TestRetriever(change: { outcome in
      outcome.isPartial = true
      outcome.count = min(outcome.count, 5)
    })
    let outcome = try kitchen.rank(.test(titlesPerRow: 100))
    #expect(outcome.rungs.first == .retrievalPartial)
    #expect(outcome.row("top_picks")?.titles.contains { $0.source == .similar } == true)
  }

  @Test func `retrieval that finds nothing in time leaves popular titles, the most popular first`() throws {
    var kitchen = try kitchen()
    let time = kitchen.time
    kitchen.stages.retriever = TestRetriever(before: { time.advance(milliseconds: 26) })
    let outcome = try kitchen.rank(.test())
    #expect(outcome.rungs.first == .popularOnly)
    #expect(outcome.row("top_picks")?.titles.first?.id == "a0")
    #expect(outcome.row("because_you_watched") == nil)
  }

  @Test func `a ranker that is late leaves the order of retrieval`() throws {
    var kitchen = try kitchen()
    let time = kitchen.time
    kitchen.stages.scorer = TestScorer(before: { time.advance(milliseconds: 41) })
    let outcome = try kitchen.rank(.test())
    #expect(outcome.rungs == [.retrievalOrder])
    let top = try #require(outcome.row("top_picks")).titles
    // By similarity alone, which is the score that the reply shows.
    #expect(top.first.map { $0.score <= 1.001 && $0.score > 0.8 } == true)
    #expect(top.first?.source == .similar)
  }

  @Test func `a queue too long leaves popular titles at once`() throws {
    let kitchen = try kitchen()
    let outcome = try kitchen.rank(.test(), effort: .popular)
    #expect(outcome.rungs == [.queueFull])
    #expect(outcome.row("top_picks")?.titles.first?.id == "a0")
    #expect(outcome.stages.map(\.stage) == [.queue, .assembly])
  }

  @Test func `a retriever that lies about its results changes nothing`() throws {
    var kitchen = try kitchen()
    kitchen.stages.retriever = TestRetriever(change: { $0.count = 1_000_000 })
    #expect(try kitchen.rank(.test()).row("top_picks")?.titles.count == 20)
    kitchen.stages.retriever = TestRetriever(change: { $0.count = -1 })
    #expect(try kitchen.rank(.test()).row("top_picks")?.titles.count == 20)
  }

  @Test func `a request that is cancelled or late between stages ends there`() throws {
    let kitchen = try kitchen()
    let cancellation = Cancellation()
    kitchen.histories.state.withLock { $0.beforeHistory = { cancellation.cancel() } }
    #expect(throws: Fault(.cancelled, "cancelled before the stage retrieval")) {
      _ = try kitchen.rank(.test(), cancellation: cancellation)
    }
    let time = kitchen.time
    kitchen.histories.state.withLock { $0.beforeHistory = { time.advance(milliseconds: 30) } }
    #expect(throws: Fault(.deadlineExceeded, "the deadline passed before the stage retrieval")) {
      _ = try kitchen.rank(.test(), deadlineMilliseconds: 30)
    }
  }

  @Test func `a near deadline shrinks every budget alike`() {
    let start = Instant(nanoseconds: 1_000)
    let plan = StagePlan(.default, from: start, deadline: start.advanced(byMilliseconds: 5))
    #expect(plan.features == start.advanced(byMilliseconds: 1))
    #expect(plan.retrieval == start.advanced(byNanoseconds: 2_500_000))
    #expect(plan.ranking == start.advanced(byMilliseconds: 4))
    #expect(plan.assembly == start.advanced(byMilliseconds: 5))
    let wide = StagePlan(.default, from: start, deadline: .distantFuture)
    #expect(wide.assembly == start.advanced(byMilliseconds: 50))
  }

  /// Small random catalogues with random licences and limits, every rung: what is shown may be shown, no row is empty,
  /// nothing is there twice, and something is there whenever anything may be.
  @Test(arguments: 1...12 as ClosedRange<UInt64>)
  func `licences and maturity hold on every rung`(seed: UInt64) throws {
    var random = SplitMix(seed: seed)
    let now = TestSnapshot.now.milliseconds / 1000
    let share = Double.random(in: 0.02...0.9, using: &random)
    let salt = random.next()
    var snapshot = TestSnapshot(count: Int.random(in: 5...150, using: &random))
    snapshot.maturity = { UInt8((UInt64($0) &* 7 &+ salt) % 19) }
    snapshot.licences = { index in
      var random = SplitMix(seed: salt &+ UInt64(index))
      return ["DE", "FR", "*"].compactMap { name in
        guard Double.random(in: 0...1, using: &random) < share, let country = CountryCode(name) else {
          return nil
        }
        return Licence(
          country: country, fromSeconds: now + Int64.random(in: -100...20, using: &random),
          toSeconds: now + Int64.random(in: 21...300, using: &random))
      }
    }
    var kitchen = try TestKitchen(snapshot)
    let time = kitchen.time
    for round in 0..<24 {
      time.advance(milliseconds: Int64.random(in: 0...20_000, using: &random))
      let profile = "p\(round)"
      for kind in [Event.Kind.complete, .dislike, .progress, .like] {
        let titles = (0..<3).map { _ in snapshot.id(Int.random(in: 0..<snapshot.count, using: &random)) }
        kitchen.histories.watch(profile, titles, kind, progress: 0.5)
      }
      kitchen.stages = RankStages()
      kitchen.histories.state.withLock { $0.isMissing = round % 6 == 1 }
      if round % 6 == 2 { kitchen.stages.retriever = TestRetriever(change: { $0.isPartial = true }) }
      if round % 6 == 3 {
        kitchen.stages.retriever = TestRetriever(change: { $0 = SearchOutcome(isPartial: true) })
      }
      if round % 6 == 4 { kitchen.stages.scorer = TestScorer(before: { time.advance(milliseconds: 45) }) }
      let request = RankRequest.test(
        profile, surface: round % 2 == 0 ? "home" : "detail",
        country: ["DE", "FR", "XX"].randomElement(using: &random) ?? "DE",
        maturityMax: UInt8.random(in: 0...18, using: &random),
        titlesPerRow: Int.random(in: 0...12, using: &random),
        context: round % 2 == 0 ? "" : snapshot.id(Int.random(in: 0..<snapshot.count, using: &random)))
      let moment = kitchen.time.now
      let outcome = try kitchen.rank(request, effort: round % 6 == 5 ? .popular : .full)
      try check(outcome, request, kitchen.generation.catalogue, at: moment, "seed \(seed) round \(round)")
    }
  }

  private func check(
    _ outcome: RankPipeline.Outcome, _ request: RankRequest, _ view: CatalogueView, at now: Timestamp,
    _ note: Comment
  ) throws {
    let country = CountryCode(ofRequest: request.country)
    func isPermitted(_ ordinal: UInt32) -> Bool {
      view.isLive(ordinal) && view.maturity(ordinal) <= request.maturityMax
        && view.isLicensed(ordinal, country, at: now)
    }
    for id in outcome.titleIDs {
      let ordinal = try #require(view.ordinal(ofID: id), note)
      #expect(isPermitted(ordinal), note)
    }
    #expect(outcome.rows.allSatisfy { !$0.titles.isEmpty }, note)
    for row in outcome.rows { #expect(Set(row.titles.map(\.id)).count == row.titles.count, note) }
    if (0..<UInt32(view.count)).contains(where: isPermitted) {
      #expect(outcome.row("top_picks") != nil, note)
    } else {
      #expect(outcome.rows.isEmpty, note)
    }
  }
}
