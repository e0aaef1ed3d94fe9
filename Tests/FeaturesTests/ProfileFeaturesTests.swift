import Base
import Features
import Foundation
import Testing

@Suite("ProfileFeatures")
struct ProfileFeaturesTests {
  private let definitions = FeatureDefinitions()

  private func features(_ events: [Event], now: Timestamp = testNow) -> ProfileFeatures {
    ProfileFeatures.compute(ProfileHistory(events), definitions: definitions, now: now)
  }

  private func isNear(_ left: Float?, _ right: Double) -> Bool {
    guard let left else { return false }
    return abs(Double(left) - right) < 1e-5
  }

  @Test("no events give no features, and a cold profile")
  func empty() {
    let features = features([])
    #expect(features == ProfileFeatures())
    #expect(features.isCold)
  }

  @Test("a title's weight is the sum over its events, by kind, and progress counts by how far")
  func weights() {
    let features = features([
      event("1", title: "a", .play), event("2", title: "a", .progress, progress: 0.5),
      event("3", title: "b", .like),
      event("4", title: "c", .hoverSkip), event("5", title: "d", .dislike), event("6", title: "e", .click),
      event("7", title: "f", .impression),
    ])
    let weights = Dictionary(uniqueKeysWithValues: features.weighted.map { ($0.id, $0.weight) })
    #expect(isNear(weights["a"], 0.3 + 0.7 * 0.5))
    #expect(isNear(weights["b"], 1.5))
    #expect(isNear(weights["c"], -0.1))
    #expect(isNear(weights["d"], -2))
    #expect(isNear(weights["e"], 0.1))
    #expect(weights["f"] == nil)
    #expect(!features.isCold)
  }

  @Test("weights halve in a half-life, by event time, though nothing was written")
  func decay() {
    let history = ProfileHistory([event("1", title: "a", .complete)])
    for halfLives in [0.0, 0.5, 1, 2, 10] {
      let now = Timestamp(milliseconds: testNow.milliseconds + Int64(halfLives * 14 * 86_400_000))
      let features = ProfileFeatures.compute(history, definitions: definitions, now: now)
      #expect(isNear(features.weighted.first?.weight, exp2(-halfLives)))
    }
  }

  @Test("an event of a clock that runs ahead counts as of now")
  func ahead() {
    #expect(isNear(features([event("1", .complete, secondsAgo: -200)]).weighted.first?.weight, 1))
  }

  @Test("times at the ends of what a file can hold give finite weights")
  func extremeTimes() {
    for milliseconds in [Int64.min, Int64.max] {
      var extreme = event("1", .complete)
      extreme.at = Timestamp(milliseconds: milliseconds)
      for now in [Int64.min, 0, Int64.max] {
        let features = features([extreme], now: Timestamp(milliseconds: now))
        #expect(features.weighted.allSatisfy { $0.weight.isFinite })
      }
    }
  }

  @Test("one title's weight is bounded before decay, for and against")
  func boundedWeight() {
    let likes = (0..<20).map { event("l\($0)", title: "a", .like) }
    let dislikes = (0..<20).map { event("d\($0)", title: "b", .dislike) }
    let features = features(likes + dislikes)
    let weights = Dictionary(uniqueKeysWithValues: features.weighted.map { ($0.id, $0.weight) })
    #expect(isNear(weights["a"], 3))
    #expect(isNear(weights["b"], -3))
  }

  @Test("the latest titles make the vector, newest first")
  func latestTitles() {
    let features = features((0..<70).map { event("\($0)", title: "t\($0)", .play, secondsAgo: Int64($0)) })
    #expect(features.weighted.map(\.id) == (0..<50).map { "t\($0)" })
    #expect(features.weighted.first?.at == testNow)
  }

  @Test("a title begun and not finished is to be continued, from its latest progress, newest first")
  func continueWatching() {
    let features = features([
      event("1", title: "a", .progress, secondsAgo: 50, progress: 0.2),
      event("2", title: "a", .progress, secondsAgo: 40, progress: 0.4),
      event("3", title: "b", .progress, secondsAgo: 30, progress: 0.9),
      event("4", title: "c", .progress, secondsAgo: 20, progress: 0.01),
      event("5", title: "d", .progress, secondsAgo: 10, progress: 0.96),
      // Liking it while watching doesn't end it.
      event("6", title: "a", .like, secondsAgo: 1),
    ])
    #expect(
      features.goingOn.map(\.started) == [
        .init(progress: 0.9, at: testNow.advanced(bySeconds: -30)),
        .init(progress: 0.4, at: testNow.advanced(bySeconds: -40)),
      ])
    #expect(features.goingOn.map(\.id) == ["b", "a"])
    #expect(features.completed == ["d"])
  }

  @Test(
    "completing, abandoning or disliking a title ends continuing it, until it is taken up again",
    arguments: [Event.Kind.complete, .abandon, .dislike])
  func ended(_ kind: Event.Kind) {
    let begun = event("1", .progress, secondsAgo: 30, progress: 0.4)
    let ended = event("2", kind, secondsAgo: 20)
    #expect(features([begun, ended]).continueWatching.isEmpty)
    // The same when the earlier event arrives late.
    #expect(features([ended, begun]).continueWatching.isEmpty)
    let again = event("3", .progress, secondsAgo: 10, progress: 0.1)
    #expect(features([begun, ended, again]).goingOn.map(\.started?.progress) == [0.1])
    #expect(features([ended]).completed == (kind == .complete ? ["t"] : []))
  }

  @Test("at the same millisecond an ending comes after the progress")
  func sameMoment() {
    let progress = event("z", .progress, progress: 0.9)
    let complete = event("a", .complete)
    #expect(features([progress, complete]).continueWatching.isEmpty)
    #expect(features([complete, progress]).continueWatching.isEmpty)
  }

  @Test("a disliked title is rejected until it is liked, an abandoned one until it is taken up again")
  func rejected() {
    func after(_ kinds: [Event.Kind]) -> Set<String> {
      features(kinds.enumerated().map { event("\($0)", $1, secondsAgo: Int64(10 - $0)) }).rejected
    }
    #expect(after([.dislike]) == ["t"])
    #expect(after([.dislike, .play]) == ["t"])
    #expect(after([.dislike, .like]).isEmpty)
    #expect(after([.like, .dislike]) == ["t"])
    #expect(after([.play, .abandon]) == ["t"])
    for kind in [Event.Kind.play, .progress, .complete, .like, .addToList] {
      #expect(after([.abandon, kind]).isEmpty)
    }
    for kind in [Event.Kind.hoverSkip, .click] { #expect(after([.abandon, kind]) == ["t"]) }
    #expect(after([.hoverSkip]).isEmpty)
  }

  @Test("rows are about the latest titles watched with liking")
  func becauseOf() {
    let features = features([
      event("1", title: "liked only", .like, secondsAgo: 1),
      event("2", title: "a", .complete, secondsAgo: 60),
      event("3", title: "b", .play, secondsAgo: 50),
      event("4", title: "c", .progress, secondsAgo: 40, progress: 0.5),
      event("5", title: "d", .play, secondsAgo: 30), event("6", title: "gone", .play, secondsAgo: 20),
      event("7", title: "gone", .abandon, secondsAgo: 10), event("8", title: "bad", .complete, secondsAgo: 9),
      event("9", title: "bad", .dislike, secondsAgo: 8),
    ])
    #expect(features.becauseOf == ["d", "c", "b"])
  }

  @Test("any order of the same events, repeated ones among them, gives the same features", arguments: 0..<20)
  func anyOrder(_ seed: UInt64) {
    print("seed \(seed)")
    var random = SplitMix(seed: seed)
    var events = randomEvents(count: 400, using: &random)
    let expected = ProfileHistory(events)
    let expectedFeatures = features(events)
    #expect(expected.entries.count <= Limits.recentEventCountMax)
    for _ in 0..<5 {
      events += (0..<30).map { _ in events.randomElement(using: &random) ?? event("x") }
      events.shuffle(using: &random)
      #expect(ProfileHistory(events) == expected)
      #expect(features(events) == expectedFeatures)
    }
  }
}

extension ProfileFeatures {
  fileprivate var weighted: [Title] { titles.filter { $0.weight != 0 } }
  fileprivate var goingOn: [Title] { continueWatching.map { titles[$0] } }
  fileprivate var completed: Set<String> { Set(titles.filter(\.isCompleted).map(\.id) + finished) }
  fileprivate var rejected: Set<String> { Set(titles.filter(\.isRejected).map(\.id)) }
  fileprivate var becauseOf: [String] { titles.filter(\.isBecause).map(\.id) }
  fileprivate var met: [String] { titles.map(\.id) }
}

/// Events of few titles and few moments, so that all ties and rules meet.
func randomEvents(count: Int, profiles: Int = 1, using random: inout SplitMix) -> [Event] {
  (0..<count).map { index in
    event(
      "id\(index)", profile: "p\(Int.random(in: 0..<profiles, using: &random))",
      title: "title number \(Int.random(in: 0..<40, using: &random))",
      Event.Kind.allCases.randomElement(using: &random) ?? .play,
      secondsAgo: Int64.random(in: 0..<300, using: &random) * 300,
      progress: Float.random(in: 0...1, using: &random))
  }
}

@Suite("ProfileHistory")
struct ProfileHistoryTests {
  @Test(
    "titles seen to the end are remembered when their events are gone, the latest of them, in whatever order they came"
  )
  func finished() {
    var events = (0..<700).map { event("e\($0)", title: "t\($0)", .complete, secondsAgo: Int64(9000 - $0)) }
    // Seen again: the latest time counts. Nearly to the end, and not nearly.
    events.append(event("again", title: "t3", .complete, secondsAgo: 5))
    events.append(event("credits", title: "nearly", .progress, secondsAgo: 4, progress: 0.97))
    events.append(event("half", title: "half", .progress, secondsAgo: 3, progress: 0.5))
    let history = ProfileHistory(events)
    let remembered = Set(history.finished.map(\.titleID))
    #expect(history.finished.count == Limits.finishedTitleCountMax)
    #expect(remembered == Set((202..<700).map { "t\($0)" } + ["t3", "nearly"]))
    var random = SplitMix(seed: 11)
    for _ in 0..<5 {
      events.shuffle(using: &random)
      #expect(ProfileHistory(events + events.prefix(50)) == history)
    }
    let features = ProfileFeatures.compute(history, definitions: FeatureDefinitions(), now: testNow)
    #expect(features.completed == remembered)
    #expect(features.met.count == 70 && features.met.prefix(3) == ["half", "nearly", "t3"])
  }

  @Test("what counts as finished the definitions say, and what is being watched again goes on")
  func finishedAndBegunAgain() {
    var history = ProfileHistory([
      event("1", title: "a", .complete, secondsAgo: 500),
      event("2", title: "b", .progress, secondsAgo: 400, progress: 0.92),
    ])
    for index in 0..<70 { history.insert(event("f\(index)", title: "f\(index)", .play, secondsAgo: 300)) }
    var definitions = FeatureDefinitions()
    #expect(ProfileFeatures.compute(history, definitions: definitions, now: testNow).completed == ["a"])
    definitions.continueWatching.progressMax = 0.91
    #expect(ProfileFeatures.compute(history, definitions: definitions, now: testNow).completed == ["a", "b"])
    history.insert(event("again", title: "a", .progress, secondsAgo: 1, progress: 0.3))
    let features = ProfileFeatures.compute(history, definitions: definitions, now: testNow)
    #expect(features.completed == ["b"] && features.goingOn.map(\.id) == ["a"])
  }

  @Test("events lie by event time, wherever in the order they arrive, and a repeated one once")
  func ordered() {
    var history = ProfileHistory()
    for ago in [30, 10, 40, 20, 10, 40] { history.insert(event("e\(ago)", secondsAgo: Int64(ago))) }
    #expect(history.entries.map(\.at) == [40, 30, 20, 10].map { testNow.advanced(bySeconds: -$0) })
    #expect(history.latest == testNow.advanced(bySeconds: -10))
  }

  @Test(
    "an event older than all that are kept finds no place in a full history, and a newer one takes the oldest's"
  )
  func full() {
    var history = ProfileHistory((0..<70).map { event("e\($0)", title: "t\($0)", secondsAgo: Int64($0)) })
    let before = history
    history.insert(event("late", title: "late", secondsAgo: 1000))
    #expect(history == before)
    history.insert(event("between", title: "between", secondsAgo: 35))
    #expect(history.entries.count == 70)
    #expect(history.entries.first?.titleID == "t68")
    // The pushed-out event comes again, and still finds no place.
    let now = history
    history.insert(event("e69", title: "t69", secondsAgo: 69))
    #expect(history == now)
  }

  @Test("browsing doesn't push out what was watched, nor impressions anything")
  func browsing() {
    var history = ProfileHistory(
      (0..<70).map { event("w\($0)", title: "t\($0)", secondsAgo: 5000 + Int64($0)) })
    for index in 0..<500 {
      history.insert(
        event("h\(index)", title: "h\(index)", index % 2 == 0 ? .hoverSkip : .click, secondsAgo: Int64(index))
      )
      history.insert(event("i\(index)", title: "i\(index)", .impression))
    }
    #expect(history.entries.count == Limits.recentEventCountMax)
    #expect(history.entries.filter { $0.kind == .play }.count == 70)
    #expect(history.entries.last?.titleID == "h0")
  }

  @Test("of a title's progress the latest is kept, so that an evening's reports take one place")
  func progress() {
    var history = ProfileHistory()
    for index in 0..<200 {
      history.insert(
        event("p\(index)", .progress, secondsAgo: Int64(2000 - index * 10), progress: Float(index) / 200))
    }
    history.insert(event("late", .progress, secondsAgo: 1999, progress: 0.001))
    #expect(history.entries.map(\.progress) == [Float(199) / 200])
  }
}
