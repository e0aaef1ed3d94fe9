import Base
import CKernels
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

  @Test("looking into all lists finds the exact neighbours, in order and nearly with their scores")
  func allLists() throws {
    for built in [try Self.whole.get(), try Self.tailed.get()] {
      for query in Self.queries {
        let (found, scores, outcome) = built.find(query, k: 100, effort: .everything)
        #expect(recall(found, built.truth(query, k: 100)) >= 0.99)
        #expect(outcome.scannedCount == 10_400 && !outcome.isExact)
        for (ordinal, score) in zip(found, scores) {
          let exact = query.withUnsafeBufferPointer { built.vectors.dot(ordinal, $0) }
          #expect(abs(score - exact) < 3e-4)
        }
        #expect(scores == scores.sorted(by: >))
        #expect(Set(found).count == found.count)
      }
    }
  }

  @Test("odd and evenly filled vectors are found by lists too", arguments: [1, 5, 33, 130])
  func dimensions(_ dimensions: Int) throws {
    var random = SplitMix(seed: UInt64(dimensions))
    let values = (0..<600).flatMap { _ in
      unit((0..<dimensions).map { _ in Float.random(in: -1...1, using: &random) })
    }
    let built = try Built(values, dimensions: dimensions, tailCount: 40, options: Self.options(dimensions))
    for query in profiles(values, dimensions: dimensions, count: 5) {
      let (found, _) = search(built, query, k: 50, effort: .everything)
      let truth = built.truth(query, k: 50)
      // One dimension has two values, and which of equals are found is anyone's guess.
      #expect(dimensions == 1 ? Set(found).count == 50 : recall(found, truth) >= 0.97)
    }
  }

  /// Few queries to tune with, for what isn't searched with tuned settings.
  private static func options(_ dimensions: Int) -> IndexOptions {
    IndexOptions(tuningQueries: [Float](repeating: 1, count: dimensions))
  }

  @Test("a tail whose titles reach beyond the base's steps is found as well")
  func farTail() throws {
    let base = clustered(2000, dimensions: 24)
    // Along single axes, farther than any mixture of the base goes.
    var tail = [Float](repeating: 0.01, count: 48 * 24)
    for title in 0..<48 { tail[title * 24 + title % 24] = title < 24 ? 1 : -1 }
    let built = try Built(base + tail, dimensions: 24, tailCount: 48, options: Self.options(24))
    for axis in 0..<24 {
      var query = [Float](repeating: 0.05, count: 24)
      query[axis] = 1
      let (found, _) = search(built, query, k: 30, effort: .everything)
      #expect(found.first == UInt32(2000 + axis))
      #expect(recall(found, built.truth(query, k: 30)) >= 0.9)
    }
  }

  @Test("the tuned search reaches its recall and looks at a part of the titles")
  func tuned() throws {
    for built in [try Self.whole.get(), try Self.tailed.get()] {
      for (effort, least) in [(SearchEffort.tuned, 0.94), (.recall(0.99), 0.98)] {
        var sum = 0.0
        var scanned = 0
        for query in Self.queries {
          let (found, _, outcome) = built.find(query, k: 500, effort: effort)
          sum += recall(found, built.truth(query, k: 500))
          scanned += outcome.scannedCount
        }
        #expect(sum / Double(Self.queries.count) >= least)
        #expect(scanned < 9000 * Self.queries.count)
      }
    }
  }

  @Test("every kernel level finds the same titles with the same scores")
  func levels() throws {
    // The levels' kernels are compared one by one elsewhere; a process has one level, told by MARQUEE_KERNELS. What
    // this one finds is what the scalar level's products and roundings give.
    let built = try Self.whole.get()
    let tables = built.parts[0].index.tables
    let scalar = mk_scan_at_level(Int32(MK_SCALAR.rawValue))
    for query in Self.queries {
      let (found, scores, _) = built.find(query, k: 100, effort: .everything)
      let scratch = SearchScratch()
      query.withUnsafeBufferPointer { query in
        guard let start = query.baseAddress else { return }
        let weights = QueryWeights(start, tables: tables, scratch: scratch)
        var slots: [UInt32] = []
        for list in 0..<tables.listCount {
          slots += (0..<tables.sizes[list]).map { UInt32(tables.slot(list)) + $0 }
        }
        var products = [Int32](repeating: 0, count: tables.slotCount)
        scalar.pointee.dot_groups(scratch.codeQuery, tables.codes, tables.groupCount, &products)
        var exact = [Float](repeating: 0, count: slots.count)
        scalar.pointee.refine(
          scratch.rowQuery, tables.rows, tables.rowStride, slots, slots.map { products[Int($0)] },
          slots.count, weights.unit, weights.rowUnit, &exact)
        let byOrdinal = Dictionary(uniqueKeysWithValues: zip(slots.map { tables.ordinals[Int($0)] }, exact))
        #expect(found.map { byOrdinal[$0] } == scores)
      }
    }
  }

  @Test("a filter lets only its titles through and still fills k", arguments: [2, 4, 40, 1000])
  func filtered(every: Int) throws {
    let built = try Self.tailed.get()
    var random = SplitMix(seed: UInt64(every))
    let allowed = (0..<10_400).map { _ in Int.random(in: 0..<every, using: &random) == 0 }
    let count = allowed.count { $0 }
    for query in Self.queries {
      let (found, _, outcome) = built.find(query, k: 200, allowed: allowed)
      #expect(found.count == min(200, count))
      #expect(found.allSatisfy { allowed[Int($0)] })
      let truth = built.truth(query, k: 200, allowed: allowed)
      #expect(outcome.isExact && found == truth)
    }
  }

  @Test("lists are looked into until enough titles pass the filter", arguments: [2, 4, 20])
  func filteredLists(every: Int) throws {
    let built = try Self.tailed.get()
    var random = SplitMix(seed: UInt64(every))
    let allowed = (0..<10_400).map { _ in Int.random(in: 0..<every, using: &random) == 0 }
    var sum = 0.0
    var lists = (filtered: 0, whole: 0)
    for query in Self.queries {
      let (found, outcome) = search(built, query, k: 100, allowed: allowed)
      #expect(found.count == 100 && found.allSatisfy { allowed[Int($0)] })
      sum += recall(found, built.truth(query, k: 100, allowed: allowed))
      lists.filtered += outcome.probedListCount
      lists.whole += built.find(query, k: 100).outcome.probedListCount
    }
    // k is a fifth of the fewest: that deep lists promise too much, and a whole search scores so few one by one.
    #expect(sum / Double(Self.queries.count) > (every < 20 ? 0.9 : 0.85))
    #expect(lists.filtered >= lists.whole)
  }

  @Test("a filter that is blind near the query is answered from farther lists")
  func blindNearby() throws {
    let built = try Self.whole.get()
    let query = Self.queries[0]
    let near = Set(built.truth(query, k: 4000))
    let allowed = (0..<10_400).map { !near.contains(UInt32($0)) }
    let (found, _) = search(built, query, k: 300, allowed: allowed)
    #expect(found.count == 300 && near.isDisjoint(with: found))
    #expect(recall(found, built.truth(query, k: 300, allowed: allowed)) > 0.8)
  }

  @Test("a filter that lets fewer than k pass is answered with all of them")
  func fewerThanWanted() throws {
    let built = try Self.tailed.get()
    let allowed = (0..<10_400).map { $0 % 100 == 0 }
    let (found, outcome) = search(built, Self.queries[0], k: 300, allowed: allowed)
    #expect(found.sorted() == (0..<104).map { UInt32($0 * 100) })
    #expect(outcome.probedListCount == built.index.listCount)
  }

  /// The search through lists, as if there were more titles than are worth scoring one by one.
  private func search(
    _ built: Built, _ query: [Float], k: Int, effort: SearchEffort = .tuned, allowed: [Bool]? = nil
  ) -> (found: [UInt32], outcome: SearchOutcome) {
    let scratch = SearchScratch()
    let words = bitmap(allowed ?? [])
    let outcome = words.withUnsafeBufferPointer { words in
      query.withUnsafeBufferPointer { query in
        guard let start = query.baseAddress else { return SearchOutcome() }
        let filter = words.baseAddress.flatMap { bits in
          allowed.map {
            OrdinalFilter(words: bits, bitCount: $0.count, allowedCount: $0.count { $0 })
          }
        }
        return built.index.listSearch(
          start, k: k, effort: effort, allowed: filter,
          watch: DeadlineWatch(deadline: .distantFuture, time: SystemTime()), scratch: scratch)
      }
    }
    return (Array(scratch.ordinals.prefix(outcome.count)), outcome)
  }

  @Test("a filter that allows nothing finds nothing")
  func nothingAllowed() throws {
    let built = try Self.whole.get()
    let found = built.find(Self.queries[0], allowed: [Bool](repeating: false, count: 10_400))
    #expect(found.ordinals.isEmpty && !found.outcome.isPartial)
  }

  @Test("at the deadline the best so far is returned and marked partial")
  func deadline() throws {
    let built = try Self.tailed.get()
    let all = built.find(Self.queries[0], k: 100, effort: .everything)
    // Late at once, and after so many looks at the clock.
    for looks in [0, 1, 2] {
      let time = CountedTime(looks: looks)
      let (found, scores, outcome) = built.find(
        Self.queries[0], k: 100, effort: .everything, deadline: Instant(nanoseconds: 1), time: time)
      #expect(outcome.isPartial && outcome.scannedCount < 10_400)
      #expect((outcome.scannedCount == 0) == (looks == 0))
      #expect(found.count == min(100, outcome.scannedCount))
      #expect(scores == scores.sorted(by: >))
      if looks == 2 { #expect(recall(found, all.ordinals) > 0.3) }
    }
  }

  @Test("the clock is looked at after every 64 kilobytes and some, in scans and in scoring again")
  func looks() throws {
    let built = try Self.whole.get()
    let time = CountedTime(looks: .max)
    let outcome = built.find(
      Self.queries[0], k: Limits.candidateCountMax, effort: .everything, deadline: Instant(nanoseconds: 1),
      time: time
    ).outcome
    #expect(!outcome.isPartial)
    let tables = built.parts[0].index.tables
    let bytes = 10_400 * tables.head + Limits.candidateCountMax * 2 * tables.rowStride
    #expect(time.count >= bytes / (128 << 10))
  }

  @Test("late while scoring again, the rest is ordered by codes")
  func lateAtTheEnd() throws {
    let built = try Self.whole.get()
    let query = Self.queries[0]
    let counted = CountedTime(looks: .max)
    let all = built.find(
      query, k: 500, effort: .everything, deadline: Instant(nanoseconds: 1), time: counted)
    let late = built.find(
      query, k: 500, effort: .everything, deadline: Instant(nanoseconds: 1),
      time: CountedTime(looks: counted.count - 1))
    #expect(late.outcome.isPartial && late.outcome.scannedCount == 10_400 && late.ordinals.count == 500)
    #expect(late.scores == late.scores.sorted(by: >))
    #expect(recall(late.ordinals, all.ordinals) > 0.8)
  }

  @Test("exact searches keep their deadline too")
  func exactDeadline() throws {
    let values = clustered(9000, dimensions: 128)
    let built = try Built(values, dimensions: 128)
    let query = Array(values[..<128])
    let late = built.find(query, deadline: Instant(nanoseconds: 1), time: CountedTime(looks: 2))
    #expect(late.outcome.isPartial && !late.outcome.isExact && !late.ordinals.isEmpty)
    let allowed = (0..<10_400).map { $0 % 2 == 0 }
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
    #expect(built.find([Float](repeating: 0, count: 32)).ordinals.count == 50)
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
