import Base
import Foundation
import Testing

@testable import Features

private func makeStore(_ change: (inout EmbeddedOnlineStore.Options) -> Void = { _ in })
  -> EmbeddedOnlineStore
{
  var options = EmbeddedOnlineStore.Options()
  options.trendingReuseMilliseconds = 0
  change(&options)
  return EmbeddedOnlineStore(options: options)
}

@Suite("EmbeddedOnlineStore")
struct EmbeddedOnlineStoreTests {
  private let trending = FeatureDefinitions().trending

  @Test(
    "any order and any batches of the same events give the same histories and the same trending titles",
    arguments: 0..<5)
  func anyOrder(_ seed: UInt64) {
    print("seed \(seed)")
    var random = SplitMix(seed: seed)
    var events = randomEvents(count: 3000, profiles: 20, using: &random)
    let expected = makeStore()
    expected.apply(events)
    for _ in 0..<3 {
      events.shuffle(using: &random)
      let store = makeStore()
      var rest = events[...]
      while !rest.isEmpty {
        let count = Int.random(in: 1...500, using: &random)
        store.apply(Array(rest.prefix(count)))
        rest = rest.dropFirst(count)
      }
      #expect(store.profileCount == expected.profileCount)
      for profile in 0..<20 { #expect(store.recent("p\(profile)") == expected.recent("p\(profile)")) }
      let top = store.trending(now: testNow, limit: 100, definitions: trending)
      #expect(!top.isEmpty)
      #expect(top == expected.trending(now: testNow, limit: 100, definitions: trending))
    }
  }

  @Test("a profile that isn't known reads as empty, and reading doesn't make it")
  func unknown() {
    let store = makeStore()
    #expect(store.recent("nobody").isEmpty)
    #expect(store.profileCount == 0)
  }

  @Test("a history that was read stays as it was when events come")
  func snapshots() {
    let store = makeStore()
    store.apply([event("1")])
    let before = store.recent("p")
    store.apply([event("2")])
    #expect(before.entries.count == 1)
    #expect(store.recent("p").entries.count == 2)
  }

  @Test("the number of profiles is bounded, and those read lately stay")
  func eviction() {
    let store = makeStore { $0.profileCountMax = 640 }
    store.apply([event("kept", profile: "kept")])
    for index in 0..<20_000 {
      store.apply([event("e\(index)", profile: "profile \(index)")])
      // Ten places a shard: read often enough, its mark is always set when the hand comes by.
      _ = store.recent("kept")
      if index % 100 == 0 { #expect(store.profileCount <= 640) }
    }
    #expect(store.profileCount == 640)
    #expect(store.evictedProfileCount == 20_001 - 640)
    #expect(store.recent("kept").entries.count == 1)
    #expect(store.recent("profile 0").isEmpty)
    // An evicted profile begins again.
    store.apply([event("again", profile: "profile 0")])
    #expect(store.recent("profile 0").entries.count == 1)
  }

  @Test("writers and readers on several threads leave every event in its place")
  func threads() async {
    let store = makeStore()
    let trending = trending
    await withTaskGroup(of: Void.self) { tasks in
      for writer in 0..<4 {
        tasks.addTask {
          for index in 0..<250 {
            store.apply([
              event(
                "\(writer)-\(index)", profile: "p\(index)", title: "t\(writer)", secondsAgo: Int64(writer))
            ])
            _ = store.recent("p\(index)")
            if index % 50 == 0 { _ = store.trending(now: testNow, limit: 3, definitions: trending) }
          }
        }
      }
    }
    for index in 0..<250 {
      #expect(store.recent("p\(index)").entries.map(\.titleID) == ["t3", "t2", "t1", "t0"])
    }
    let top = store.trending(now: testNow, limit: 10, definitions: trending)
    #expect(top.map(\.titleID) == ["t0", "t1", "t2", "t3"])
  }

  @Test(
    "trending is computed again after the time of reuse, and at once when definitions change or time is set back"
  )
  func reuse() {
    let store = makeStore { $0.trendingReuseMilliseconds = 1000 }
    func titles(_ milliseconds: Int64, _ definitions: FeatureDefinitions.Trending) -> [String] {
      let now = Timestamp(milliseconds: testNow.milliseconds + milliseconds)
      return store.trending(now: now, limit: 10, definitions: definitions).map(\.titleID)
    }
    #expect(titles(0, trending).isEmpty)
    store.apply([event("1", title: "a")])
    #expect(titles(999, trending).isEmpty)
    #expect(titles(1000, trending) == ["a"])
    var others = trending
    others.play = 0
    #expect(titles(1001, others).isEmpty)
    store.apply([event("2", title: "b", .like)])
    #expect(titles(500, others) == ["b"])
    #expect(store.trending(now: testNow, limit: 0, definitions: trending).isEmpty)
    #expect(store.trending(now: testNow, limit: -1, definitions: trending).isEmpty)
  }

  @Test("after a process that was killed the store is what the log's acknowledged events make it")
  func restore() async throws {
    let room = try Room()
    let store = makeStore()
    var options = EmbeddedEventLog.Options()
    options.segmentByteCountMax = 20_000
    let log = try EmbeddedEventLog(
      opening: room.path, disk: SystemDisk(), time: ManualTime(now: testNow), options: options,
      deliver: { store.apply($0) })
    var random = SplitMix(seed: 3)
    let events = randomEvents(count: 2000, profiles: 10, using: &random)
    for start in stride(from: 0, to: 2000, by: 100) {
      _ = try await log.append(Array(events[start..<(start + 100)]))
      // Repeated, as a client does that saw no answer.
      _ = try await log.append(Array(events[start..<(start + 50)]))
    }
    let copies = try Room()
    let copy = try EmbeddedEventLog(
      opening: try room.copied(to: copies), disk: SystemDisk(), time: ManualTime(now: testNow))
    let restored = makeStore()
    #expect(try restored.restore(from: copy) == 2000)
    for profile in 0..<10 {
      #expect(!store.recent("p\(profile)").isEmpty)
      #expect(restored.recent("p\(profile)") == store.recent("p\(profile)"))
    }
    #expect(
      restored.trending(now: testNow, limit: 50, definitions: trending)
        == store.trending(now: testNow, limit: 50, definitions: trending))
    await log.close()
    await copy.close()
  }
}

@Suite("TrendingBoard")
struct TrendingBoardTests {
  private let definitions = FeatureDefinitions().trending

  private func later(_ minutes: Int64) -> Timestamp { testNow.advanced(bySeconds: minutes * 60) }

  private func board(_ events: [Event], titleCountMax: Int = 100) -> TrendingBoard {
    var board = TrendingBoard(titleCountMax: titleCountMax)
    for event in events { board.add(event) }
    return board
  }

  @Test(
    "an old burst fades by half in each half-life and is gone after the window, though nothing is written")
  func decay() {
    let board = board((0..<1000).map { event("b\($0)", title: "burst") })
    let first = board.top(now: later(10), limit: 5, definitions: definitions).first?.score ?? 0
    #expect(first > 900)
    for halfLives in 1...7 {
      let score =
        board.top(now: later(10 + 180 * Int64(halfLives)), limit: 5, definitions: definitions).first?.score
        ?? 0
      #expect(abs(score * exp2(Float(halfLives)) / first - 1) < 1e-3)
    }
    #expect(!board.top(now: later(1430), limit: 5, definitions: definitions).isEmpty)
    #expect(board.top(now: later(1460), limit: 5, definitions: definitions).isEmpty)
  }

  @Test("a new title with fewer events passes yesterday's burst")
  func passing() {
    let board = board(
      (0..<1000).map { event("o\($0)", title: "old", secondsAgo: 20 * 3600) }
        + (0..<50).map { event("n\($0)", title: "new") })
    #expect(board.top(now: testNow, limit: 5, definitions: definitions).map(\.titleID) == ["new", "old"])
  }

  @Test("events count by their kind's weight, and those that say nothing of popularity not at all")
  func kinds() {
    let board = board(Event.Kind.allCases.map { event("\($0)", title: "\($0)", $0) })
    let top = board.top(now: testNow, limit: 20, definitions: definitions)
    #expect(top.map(\.titleID) == ["complete", "like", "play", "addToList"])
    #expect(top.last.map { $0.score * 2 } == top.first?.score)
  }

  @Test("equal scores come in the order of ids, and the limit keeps the best")
  func limit() {
    let events = (0..<50).flatMap { title in
      (0...(title % 5)).map { event("\(title)-\($0)", title: "t\(title)") }
    }
    let board = board(events)
    let all = board.top(now: testNow, limit: 100, definitions: definitions)
    #expect(all.count == 50)
    #expect(
      zip(all, all.dropFirst()).allSatisfy {
        $0.score > $1.score || ($0.score == $1.score && $0.titleID < $1.titleID)
      })
    for limit in [1, 7, 10, 49] {
      #expect(board.top(now: testNow, limit: limit, definitions: definitions) == Array(all.prefix(limit)))
    }
  }

  @Test("an event more than a day late finds its tile taken and changes nothing; within the day it counts")
  func late() {
    var board = board([event("now", title: "a")])
    let before = board.top(now: testNow, limit: 5, definitions: definitions)
    board.add(event("late", title: "a", secondsAgo: 98 * 900))
    #expect(board.top(now: testNow, limit: 5, definitions: definitions) == before)
    board.add(event("later", title: "b", secondsAgo: 23 * 3600))
    #expect(board.top(now: testNow, limit: 5, definitions: definitions).map(\.titleID) == ["a", "b"])
  }

  @Test("times before 1970, at the end of time or far ahead are no harm to what counts now")
  func extremeTimes() {
    var board = TrendingBoard(titleCountMax: 100)
    for milliseconds in [Int64.min, -1, 0, Int64.max, testNow.milliseconds + 86_400_000] {
      var extreme = event("x\(milliseconds)", title: "x")
      extreme.at = Timestamp(milliseconds: milliseconds)
      board.add(extreme)
    }
    board.add(event("1", title: "a"))
    #expect(board.top(now: testNow, limit: 5, definitions: definitions).map(\.titleID) == ["a"])
    for now in [Int64.min, 0, Int64.max] {
      let top = board.top(now: Timestamp(milliseconds: now), limit: 5, definitions: definitions)
      #expect(top.allSatisfy { $0.score.isFinite })
    }
  }

  @Test(
    "the number of titles is bounded: those with the fewest events give way, and a rising title finds room")
  func boundedTitles() {
    var board = TrendingBoard(titleCountMax: 80)
    for index in 0..<10 {
      for count in 0..<20 { board.add(event("h\(index)-\(count)", title: "hit \(index)")) }
    }
    for index in 0..<5000 {
      board.add(event("t\(index)", title: "tail \(index)"))
      #expect(board.titleCount <= 80)
    }
    for count in 0..<100 { board.add(event("n\(count)", title: "rising")) }
    let top = board.top(now: testNow, limit: 11, definitions: definitions)
    #expect(top.map(\.titleID) == ["rising"] + (0..<10).map { "hit \($0)" })
    // A place that changed hands brings nothing of its former title with it.
    let rest = board.top(now: testNow, limit: 80, definitions: definitions).dropFirst(11)
    #expect(Set(rest.map(\.score)).count == 1)
  }
}
