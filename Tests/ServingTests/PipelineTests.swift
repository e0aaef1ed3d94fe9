import Base
import Catalogue
import Features
import Synchronization
import Testing

@testable import Serving

@Suite struct PipelineTests {
  @Test func `a profile sees more of what it watched`() throws {
    let kitchen = try TestKitchen(TestSnapshot())
    kitchen.histories.watch("p", ["a2", "a8", "a14"])
    let outcome = try kitchen.rank(.test())
    #expect(outcome.rungs.isEmpty)
    let top = try #require(outcome.row("top_picks")).titles
    #expect(top.count == 20)
    // Genre 2 may be a half of the row, and is: its titles are those nearest.
    let alike = top.filter { Int($0.id.dropFirst()).map { $0 % 6 } == 2 }
    #expect(alike.count == 10)
    #expect(top.first.map { Int($0.id.dropFirst()).map { $0 % 6 } } == 2)
    #expect(outcome.stages.map(\.stage) == [.queue, .features, .retrieval, .ranking, .assembly])
  }

  @Test func `what those watched who watched the same is found and leads, though no vector is near it`()
    throws
  {
    var snapshot = TestSnapshot()
    snapshot.count = 1200
    // Nobody's favourites, of other genres than what was watched.
    snapshot.wanted = [[2, 1003, 1009], [2, 8, 1003, 1009], [8, 1003]]
    snapshot.policy.quotas = .init(
      similar: 20, coWatched: 20, continueWatching: 0, becauseYouWatched: 0, trending: 5, new: 5, popular: 5)
    // Sums that far above the rest have probabilities too close for a boost of what is new.
    snapshot.policy.recencyBoost.weight = 0
    let kitchen = try TestKitchen(snapshot)
    kitchen.histories.watch("p", ["a2", "a8"])
    let row = try #require(try kitchen.rank(.test()).row("top_picks"))
    #expect(row.titles.prefix(2).map(\.id) == ["a1003", "a1009"])
    #expect(row.titles.first?.source == .coWatched)
    // What was met already is not brought by this source, however many share it.
    kitchen.histories.watch("p", ["a1003"], .click)
    #expect(try kitchen.rank(.test()).titleIDs.contains("a1009"))
    #expect(try !kitchen.rank(.test()).titleIDs.contains("a1003"))
    #expect(try !kitchen.rank(.test("stranger")).titleIDs.contains("a1009"))
    snapshot.policy.quotas.coWatched = 0
    let without = try TestKitchen(snapshot)
    without.histories.watch("p", ["a2", "a8"])
    #expect(try !without.rank(.test()).titleIDs.contains("a1003"))
  }

  @Test func `a title finished long ago stays out though a hundred events came since`() throws {
    let kitchen = try TestKitchen(TestSnapshot())
    kitchen.histories.watch("p", ["a2"])
    kitchen.histories.watch("p", (0..<100).map { "elsewhere\($0)" })
    #expect(try !kitchen.rank(.test()).titleIDs.contains("a2"))
  }

  @Test func `what was completed or disliked is left out, what was begun goes on`() throws {
    let kitchen = try TestKitchen(TestSnapshot())
    kitchen.histories.watch("p", ["a2", "a8"])
    kitchen.histories.watch("p", ["a14"], .dislike)
    kitchen.histories.watch("p", ["a20"], .progress, progress: 0.4)
    let outcome = try kitchen.rank(.test())
    #expect(Set(outcome.titleIDs).isDisjoint(with: ["a2", "a8", "a14"]))
    let row = try #require(outcome.row("continue_watching"))
    #expect(row.titles.map(\.id) == ["a20"])
    #expect(row.titles.first?.source == .continueWatching)
    #expect(Set(outcome.titleIDs).count == outcome.titleIDs.count)
  }

  @Test func `because you watched names the title and is like it`() throws {
    let kitchen = try TestKitchen(TestSnapshot())
    kitchen.histories.watch("p", ["a3", "a9"])
    let row = try #require(try kitchen.rank(.test()).row("because_you_watched"))
    #expect(row.name == "Because you watched Title a9")
    #expect(row.titles.allSatisfy { $0.source == .becauseYouWatched })
  }

  @Test func `a title above the limit gives no row its name`() throws {
    var snapshot = TestSnapshot()
    snapshot.maturity = { $0 == 9 ? 18 : 0 }
    let kitchen = try TestKitchen(snapshot)
    kitchen.histories.watch("p", ["a3", "a9"])
    let outcome = try kitchen.rank(.test(maturityMax: 12))
    #expect(outcome.row("because_you_watched")?.name == "Because you watched Title a3")
    let detail = try kitchen.rank(.test(surface: "detail", maturityMax: 12, context: "a9"))
    #expect(detail.row("more_like_this") == nil)
  }

  @Test func `detail begins with titles like the one looked at, which is not shown again`() throws {
    let kitchen = try TestKitchen(TestSnapshot())
    let outcome = try kitchen.rank(.test(surface: "detail", context: "a4"))
    #expect(outcome.rows.first?.id == "more_like_this")
    #expect(outcome.rows.first?.name == "More like Title a4")
    let like = try #require(outcome.rows.first).titles
    #expect(like.prefix(10).allSatisfy { Int($0.id.dropFirst()).map { $0 % 6 } == 4 })
    #expect(!outcome.titleIDs.contains("a4"))
    #expect(try kitchen.rank(.test(surface: "detail", context: "nobody")).row("more_like_this") == nil)
  }

  @Test func `a profile that nobody knows gets popular and trending titles, and the rung says so`() throws {
    let kitchen = try TestKitchen(TestSnapshot())
    let outcome = try kitchen.rank(.test("stranger"))
    #expect(outcome.rungs == [.noHistory])
    #expect(outcome.row("top_picks")?.titles.count == 20)
    #expect(outcome.row("trending")?.titles.isEmpty == false)
    #expect(outcome.row("new")?.titles.isEmpty == false)
    #expect(outcome.row("because_you_watched") == nil)
    #expect(outcome.row("continue_watching") == nil)
  }

  @Test func `what the region watches now leads the trending row`() throws {
    let kitchen = try TestKitchen(TestSnapshot())
    kitchen.histories.state.withLock {
      $0.trending = [.init(titleID: "a50", score: 9), .init(titleID: "gone", score: 5)]
    }
    let outcome = try kitchen.rank(.test("stranger", titlesPerRow: 3))
    let trending = try #require(outcome.row("trending"))
    #expect(trending.titles.first?.id == "a50")
    #expect(trending.titles.count == 3)
    // Within a second it is what it was, and then what the region watches by then.
    kitchen.histories.state.withLock { $0.trending = [.init(titleID: "a51", score: 9)] }
    #expect(try kitchen.rank(.test("stranger", titlesPerRow: 3)).row("trending")?.titles.first?.id == "a50")
    kitchen.time.advance(milliseconds: 2000)
    let later = try #require(try kitchen.rank(.test("stranger", titlesPerRow: 3)).row("trending"))
    #expect(later.titles.first?.id == "a51" && !later.titles.map(\.id).contains("a50"))
  }

  @Test func `a pinned title stands at its position unless the profile may not see it`() throws {
    var snapshot = TestSnapshot()
    snapshot.policy.pins = [
      .init(titleID: "a70", rowID: "top_picks", surface: "home", position: 2),
      .init(titleID: "a71", rowID: "top_picks", surface: "detail", position: 0),
      .init(titleID: "a72", rowID: "top_picks", position: 4),
      .init(titleID: "gone", rowID: "new", position: 0),
    ]
    snapshot.maturity = { $0 == 72 ? 16 : 0 }
    let kitchen = try TestKitchen(snapshot)
    let adult = try #require(try kitchen.rank(.test()).row("top_picks")).titles.map(\.id)
    #expect(adult[2] == "a70")
    #expect(adult[4] == "a72")
    #expect(adult.count == 20)
    #expect(!adult.contains("a71"))
    let child = try kitchen.rank(.test(maturityMax: 12))
    #expect(!child.titleIDs.contains("a72"))
    kitchen.histories.watch("p", ["a70"], .dislike)
    #expect(try !kitchen.rank(.test()).titleIDs.contains("a70"))
  }

  @Test func `editorial lists of the surface take turns up to their quota, and hold to what may be shown`()
    throws
  {
    var snapshot = TestSnapshot(count: 1200)
    snapshot.policy.editorial = [
      .init(id: "prizes", titleIDs: ["a1100", "gone", "a1101", "a1102", "a1103"], surfaces: ["home"]),
      .init(id: "classics", titleIDs: ["a1110", "a1111", "a1112"]),
      .init(id: "other", titleIDs: ["a1120"], surfaces: ["detail"]),
    ]
    snapshot.policy.quotas.editorial = 5
    snapshot.maturity = { $0 == 1111 ? 18 : 0 }
    let kitchen = try TestKitchen(snapshot)
    let probe = RankProbe(kitchen.generation, histories: kitchen.histories, time: kitchen.time)
    func editorial(_ surface: String, _ maturityMax: UInt8) throws -> [String] {
      let answer = try probe.rank(.test(surface: surface, maturityMax: maturityMax))
      return zip(answer.candidates, answer.sources).filter { $1.source == .editorial }.map {
        kitchen.generation.catalogue.id($0.0)
      }
    }
    #expect(try editorial("home", 18) == ["a1100", "a1110", "a1101", "a1111", "a1102"])
    #expect(try editorial("home", 12) == ["a1100", "a1110", "a1101", "a1102", "a1112"])
    #expect(try editorial("detail", 18) == ["a1110", "a1120", "a1111", "a1112"])
    kitchen.histories.watch("p", ["a1100"])
    #expect(try editorial("home", 18) == ["a1110", "a1101", "a1111", "a1102", "a1112"])
  }

  @Test func `each candidate keeps the source that brought it first, and what that thought of it`() throws {
    var snapshot = TestSnapshot(count: 1200)
    snapshot.wanted = [[2, 1003], [2, 1003], [8, 1003]]
    snapshot.policy.quotas.similar = 20
    let kitchen = try TestKitchen(snapshot)
    kitchen.histories.watch("p", ["a2", "a8"])
    kitchen.histories.watch("p", ["a14"], .progress, progress: 0.4)
    let answer = try RankProbe(kitchen.generation, histories: kitchen.histories, time: kitchen.time).rank(
      .test())
    func scores(_ source: CandidateSource) -> [Float] {
      answer.sources.filter { $0.source == source }.map(\.score)
    }
    #expect(Set(answer.candidates).count == answer.candidates.count)
    #expect(answer.sources.count == answer.candidates.count)
    #expect(scores(.continueWatching) == [1])
    let similar = scores(.similar)
    #expect(similar.count > 10 && similar.allSatisfy { $0 > 0.5 && $0 < 1.01 })
    #expect(similar == similar.sorted(by: >))
    let shared = try #require(scores(.coWatched).first)
    #expect(scores(.coWatched).count == 1 && shared > 0 && shared < 1)
    #expect(scores(.new).allSatisfy { $0 > 0 && $0 <= 1 } && scores(.popular).last ?? 0 < 0.1)
  }

  @Test func `rows are as long as asked`() throws {
    let kitchen = try TestKitchen(TestSnapshot())
    kitchen.histories.watch("p", ["a1"])
    for row in try kitchen.rank(.test(titlesPerRow: 4)).rows { #expect(row.titles.count <= 4) }
    #expect(try kitchen.rank(.test(titlesPerRow: 100)).row("top_picks")?.titles.count == 100)
  }

  @Test func `a licence that ends is over at that second, though the audience was made before`() throws {
    let end = TestSnapshot.now.milliseconds / 1000 + 60
    var snapshot = TestSnapshot(count: 12)
    snapshot.licences = { $0 == 0 ? [Licence(country: .everywhere, toSeconds: end)] : [.everywhere] }
    let kitchen = try TestKitchen(snapshot)
    _ = try kitchen.rank(.test())
    kitchen.time.advance(milliseconds: 60_000)
    #expect(try !kitchen.rank(.test()).titleIDs.contains("a0"))
  }

  @Test func `when only one title is licensed it is the top pick`() throws {
    var snapshot = TestSnapshot(count: 30)
    snapshot.licences = { index in
      guard index == 7, let germany = CountryCode("DE") else { return [] }
      return [Licence(country: germany)]
    }
    let kitchen = try TestKitchen(snapshot)
    let outcome = try kitchen.rank(.test())
    #expect(outcome.rows.map(\.id) == ["top_picks"])
    #expect(outcome.titleIDs == ["a7"])
    #expect(outcome.rungs.contains(.shortRow))
    // Even if it was seen, or goes on in another row.
    kitchen.histories.watch("p", ["a7"])
    #expect(try kitchen.rank(.test()).row("top_picks")?.titles.map(\.id) == ["a7"])
    kitchen.histories.watch("q", ["a7"], .progress, progress: 0.5)
    #expect(try kitchen.rank(.test("q")).row("top_picks")?.titles.map(\.id) == ["a7"])
    #expect(try kitchen.rank(.test(country: "FR")).rows.isEmpty)
  }
}
