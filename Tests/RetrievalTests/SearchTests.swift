import Base
import Synchronization
import Testing

@testable import Retrieval

@Suite("Search")
struct SearchTests {
  static let dimensions = 32
  static let values = clustered(10_400, dimensions: dimensions)
  /// Large enough to be probed, not scored one by one. The last 1,500 titles are the tail of the second.
  static let whole = Result { try Built(values, dimensions: dimensions, options: options) }
  static let tailed = Result { try Built(values, dimensions: dimensions, tailCount: 1500, options: options) }
  static let options = IndexOptions(
    tuningQueries: profiles(values, dimensions: dimensions, count: 30, seed: 12).flatMap { $0 })
  static let queries = profiles(values, dimensions: dimensions, count: 10)
  /// Every list, and more candidates than matter.
  static let all = SearchEffort(reach: SearchEffort.reachAll, kept: 8000)

  @Test("a small catalogue is searched exactly, in one part or two", arguments: [0, 300])
  func small(tailCount: Int) throws {
    let values = clustered(900, dimensions: 24)
    let built = try Built(values, dimensions: 24, tailCount: tailCount)
    for query in profiles(values, dimensions: 24, count: 10) {
      let (found, scores, outcome) = built.find(query)
      #expect(found == built.truth(query))
      #expect(outcome.isExact && !outcome.isPartial && outcome.scannedCount == 900)
      #expect(scores == scores.sorted(by: >))
    }
  }

  @Test("probing all lists finds the exact neighbours, in order and with their scores")
  func allLists() throws {
    for built in [try Self.whole.get(), try Self.tailed.get()] {
      for query in Self.queries {
        let (found, scores, outcome) = built.find(query, k: 100, effort: Self.all)
        #expect(recall(found, built.truth(query, k: 100)) >= 0.98)
        #expect(outcome.scannedCount == 10_400 && !outcome.isExact)
        for (ordinal, score) in zip(found, scores) {
          #expect(abs(score - query.withUnsafeBufferPointer { built.vectors.dot(ordinal, $0) }) < 0.003)
        }
        #expect(scores == scores.sorted(by: >))
        #expect(Set(found).count == found.count)
      }
    }
  }

  @Test("the tuned effort reaches its recall")
  func tuned() throws {
    for built in [try Self.whole.get(), try Self.tailed.get()] {
      var sum = 0.0
      for query in Self.queries {
        let (found, _, outcome) = built.find(query, k: 500)
        sum += recall(found, built.truth(query, k: 500))
        #expect(outcome.probedListCount < built.index.listCount && !outcome.isExact)
      }
      #expect(sum / Double(Self.queries.count) >= 0.93)
    }
  }

  @Test("what reaches farther looks into more lists and finds more, and each query as many as it needs")
  func reach() throws {
    let built = try Self.tailed.get()
    var (lists, recalls) = ([Int](), [Double]())
    for reach: Float in [-0.5, -0.1, 0.1, 0.4, SearchEffort.reachMax] {
      var (sum, probed) = (0.0, [Int]())
      for query in Self.queries {
        let (found, _, outcome) = built.find(query, k: 100, effort: SearchEffort(reach: reach, kept: 600))
        sum += recall(found, built.truth(query, k: 100))
        probed.append(outcome.probedListCount)
      }
      if reach == 0.1 { #expect(Set(probed).count > 3) }
      lists.append(probed.reduce(0, +))
      recalls.append(sum)
    }
    #expect(lists == lists.sorted() && lists[0] < lists[2] && lists[2] < lists[4])
    #expect(recalls == recalls.sorted() && recalls[0] < recalls[2])
    #expect(lists[4] == built.index.listCount * Self.queries.count)
  }

  @Test("no list that could do is passed over: what is left ranks too far below the worst candidate")
  func leftOut() throws {
    let built = try Self.whole.get()
    let index = built.parts[0].index
    let lists = try #require(index.coded)
    for reach: Float in [-0.2, 0, 0.3] {
      for query in Self.queries {
        let kept = 600
        let outcome = built.find(query, k: 500, effort: SearchEffort(reach: reach, kept: kept)).outcome
        var ranks = (0..<index.listCount).map { list in
          let centroid = lists.centroidValues[list * Self.dimensions..<(list + 1) * Self.dimensions]
          return zip(centroid, query).reduce(0) { $0 + $1.0 * $1.1 } + index.spreadWeight
            * lists.spreads[list]
        }
        ranks.sort(by: >)
        #expect(reach > 0 || outcome.probedListCount < index.listCount)
        guard outcome.probedListCount < index.listCount else { continue }
        // Candidates' scores, by their codes, are about the true ones; so is the worst that is kept.
        let scores = built.truth(query, k: kept).map { ordinal in
          query.withUnsafeBufferPointer { built.vectors.dot(ordinal, $0) }
        }
        let worst = (scores.last ?? 0) - reach * lists.meanSpread
        #expect(ranks[outcome.probedListCount] < worst + 0.15 * lists.meanSpread)
      }
    }
  }

  @Test("how many lists are ranked at first changes nothing", arguments: [0, 1, 17, 65_536])
  func ranked(lists: Int) throws {
    let built = try Self.tailed.get()
    for query in Self.queries {
      let usual = built.find(query, k: 200)
      var effort = built.index.effort
      effort.lists = lists
      let other = built.find(query, k: 200, effort: effort)
      #expect(usual.ordinals == other.ordinals && usual.scores == other.scores)
      #expect(usual.outcome.probedListCount == other.outcome.probedListCount)
    }
  }

  @Test("fewer results take fewer lists, and recall stays what it was tuned for")
  func fewerResults() throws {
    let built = try Self.tailed.get()
    var lists: [Int] = []
    for k in [1000, 500, 150, 50, 5] {
      var (sum, probed) = (0.0, 0)
      for query in Self.queries {
        let (found, _, outcome) = built.find(query, k: k)
        sum += recall(found, built.truth(query, k: k))
        probed += outcome.probedListCount
      }
      #expect(sum / Double(Self.queries.count) >= 0.93, "of \(k)")
      lists.append(probed)
    }
    #expect(lists == lists.sorted(by: >) && Set(lists).count == lists.count - 1, "50 and 5 take as many")
  }

  @Test("at the deadline the best so far is returned and marked partial")
  func deadline() throws {
    let built = try Self.tailed.get()
    let all = built.find(Self.queries[0], k: 100, effort: Self.all)
    // Late at once, and after so many looks at the clock.
    for looks in [0, 1, 2] {
      let time = CountedTime(looks: looks)
      let (found, scores, outcome) = built.find(
        Self.queries[0], k: 100, effort: Self.all, deadline: Instant(nanoseconds: 1), time: time)
      #expect(outcome.isPartial && outcome.scannedCount < 10_400)
      #expect((outcome.scannedCount == 0) == (looks == 0))
      #expect(found.count == min(100, outcome.scannedCount))
      #expect(scores == scores.sorted(by: >))
      if looks == 2 { #expect(recall(found, all.ordinals) > 0.3) }
    }
  }

  @Test("the clock is looked at after every few hundred kilobytes")
  func looks() throws {
    let built = try Self.whole.get()
    let time = CountedTime(looks: .max)
    let outcome = built.find(
      Self.queries[0], effort: Self.all, deadline: Instant(nanoseconds: 1), time: time
    ).outcome
    #expect(!outcome.isPartial)
    #expect(time.count >= 3)
  }

  @Test("exact searches keep their deadline too")
  func exactDeadline() throws {
    let values = clustered(4900, dimensions: 128)
    let built = try Built(values, dimensions: 128)
    let query = Array(values[..<128])
    let late = built.find(query, deadline: Instant(nanoseconds: 1), time: CountedTime(looks: 2))
    #expect(late.outcome.isPartial && !late.outcome.isExact && !late.ordinals.isEmpty)
    let allowed = (0..<10_400).map { $0 % 4 == 0 }
    let probed = try Self.tailed.get()
    let filtered = probed.find(
      Self.queries[0], allowed: allowed, deadline: Instant(nanoseconds: 1), time: CountedTime(looks: 1))
    #expect(filtered.outcome.isPartial)
  }

  @Test("a query that is not finite finds nothing, and one of zeros finds something")
  func oddQueries() throws {
    let built = try Self.whole.get()
    for bad in [Float.nan, .infinity] {
      var query = Self.queries[0]
      query[3] = bad
      #expect(built.find(query).outcome == SearchOutcome())
    }
    let zeros = built.find([Float](repeating: 0, count: 32))
    #expect(zeros.ordinals.count == 50 && zeros.outcome.scannedCount < 5000, "all are alike")
    #expect(built.find([Float](repeating: 0x1p-149, count: 32)).ordinals.count == 50)
    #expect(built.find(Self.queries[0], k: 0).ordinals.isEmpty)
    #expect(
      built.find(Self.queries[0], k: Limits.candidateCountMax).ordinals.count == Limits.candidateCountMax)
  }

  @Test("a scratch is reused from one index to another, and results don't depend on it")
  func reuse() throws {
    let scratch = SearchScratch()
    let small = try Built(clustered(50, dimensions: 32), dimensions: 32)
    let large = try Self.whole.get()
    for query in Self.queries {
      #expect(small.find(query, scratch: scratch).ordinals == small.find(query).ordinals)
      #expect(large.find(query, scratch: scratch).ordinals == large.find(query).ordinals)
    }
  }
}

/// A clock that passes the first nanosecond after so many looks.
final class CountedTime: TimeSource {
  private let looks: Int
  private let counter = Mutex(0)

  init(looks: Int) { self.looks = looks }

  var count: Int { counter.withLock { $0 } }
  var now: Timestamp { Timestamp(milliseconds: 0) }
  var instant: Instant {
    counter.withLock { count in
      count += 1
      return Instant(nanoseconds: count > looks ? 1 : 0)
    }
  }
}
