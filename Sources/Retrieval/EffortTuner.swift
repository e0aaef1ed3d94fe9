internal import Base
internal import CKernels

/// Measures what efforts reach on queries that the index was not built from, by searching with them.
package struct EffortTuner {
  let index: VectorIndex
  let queries: [Float]
  let k: Int
  let scratch = SearchScratch()
  private let truth: [[UInt64]]
  private let coverage: ListCoverage

  /// What the segment is to say: efforts are measured with it.
  package var spreadWeight: Float { coverage.spreadWeight }

  static var queryCountMax: Int { 288 }

  /// Finds the true neighbours of the queries, rows of the source's dimensions, and how much lists' spread is best counted
  /// unless `spreadWeight` says it.
  package init(
    _ index: VectorIndex, _ source: some VectorSource, queries: [Float], k: Int, threads: Int,
    spreadWeight: Float? = nil, progress: (Double) -> Void
  ) {
    self.queries = queries
    self.k = min(k, source.count)
    let truth = ExactNeighbours(source: source, queries: queries, k: self.k, threads: threads)
      .keys(progress: progress)
    self.truth = truth
    coverage =
      spreadWeight.map { ListCoverage(index, queries: queries, truth: truth, spreadWeight: $0) }
      ?? .best(index, queries: queries, truth: truth)
    var index = index
    index.spreadWeight = coverage.spreadWeight
    self.index = index
  }

  // MARK: Efforts

  /// Points of rising recall and cost: no cheaper effort was seen to reach as much.
  package func curve(progress: (Double) -> Void) -> [EffortPoint] {
    var seen: [(point: EffortPoint, cost: Double)] = []
    var lists = 4
    var reach = -Float.infinity
    var reachedWith: [Int: Float] = [:]
    var keptMax = Int.max
    while true {
      let count = min(lists, index.listCount)
      lists = max(lists + 1, lists * 6 / 5)
      // Where all lists are alike, more of them take no more reach, until all are taken.
      if coverage.reach(lists: count) == reach, count < index.listCount { continue }
      reach = coverage.reach(lists: count)
      var sum: Float = 0
      var gains = false
      for kept in Self.keptCounts where kept <= keptMax {
        let measured = measure(reach: reach, kept: kept)
        seen.append(contentsOf: measured)
        let best = measured.map(\.point.recall).max() ?? 0
        gains = gains || best > reachedWith[kept, default: 0] + 0.0003
        reachedWith[kept] = best
        // More candidates bring nothing more, now or from here on.
        if best >= Self.recallEnough { keptMax = kept }
        let reached = measured.reduce(0) { $0 + $1.point.recall }
        if reached < sum + 0.0005 { break }
        sum = reached
      }
      let best = reachedWith.values.max() ?? 0
      progress(min(Double(best), 0.99))
      // More lists bring nothing: what is missing, codes lose.
      if count == index.listCount || best >= 0.99 && !gains { break }
    }
    progress(1)
    return Self.frontier(seen)
  }

  private static var keptCounts: [Int] { [560, 640, 740, 860, 1000, 1200, 1500, 2000, 2800, 4000] }
  static var recallEnough: Float { 0.997 }

  /// Recall with and without refining, and what it costs, about, in nanoseconds.
  private func measure(reach: Float, kept: Int) -> [(point: EffortPoint, cost: Double)] {
    let alone = PartitionedIndex(alone: index)
    let effort = SearchEffort(reach: reach, kept: kept)
    var (plain, refined) = (Shares(), Shares())
    var (scanned, rows, probed) = (0, 0, 0)
    forEachQuery(of: alone, effort: effort, truth: truth) { outcome, isFound, neighbourCount in
      plain.add((0..<outcome.count).count { isFound(scratch.ordinals[$0]) }, of: neighbourCount)
      refined.add(foundAmongHeld(isFound), of: neighbourCount)
      scanned += outcome.scannedCount
      rows += scratch.pool.pointee.held
      probed += outcome.probedListCount
    }
    let queryCount = Double(max(1, truth.count))
    let lists = Double(probed) / queryCount
    let pairs = Double(index.coded?.pairCount ?? 0)
    let rowBytes = Double(index.rowStride)
    let cost =
      Double(scanned) / queryCount * (0.1 + 0.025 * pairs) + Double(rows) / queryCount * (6 + 0.09 * rowBytes)
      + lists * 40
    let point = { (refines: Bool, recall: Float) in
      EffortPoint(
        effort: SearchEffort(reach: reach, kept: kept, refines: refines, lists: Int(lists.rounded(.up))),
        recall: recall)
    }
    return [
      (point(false, plain.low), cost),
      (point(true, refined.low - Self.refinedLoss), cost + 100 * (10 + 0.2 * rowBytes)),
    ]
  }

  /// Refining finds all that are among the candidates, or nearly.
  func foundAmongHeld(_ isFound: (UInt32) -> Bool) -> Int {
    let pool = scratch.pool
    return (0..<pool.pointee.held).count { isFound(index.ordinals[Int(pool.pointee.places[$0])]) }
  }

  private func listSearch(
    _ query: UnsafeBufferPointer<Float>, of index: PartitionedIndex, effort: SearchEffort,
    allowed: OrdinalFilter
  ) -> SearchOutcome {
    let clock = SearchClock(deadline: .distantFuture, time: SystemTime())
    guard let start = query.baseAddress,
      var search = Search(
        index: index, query: start, k: k, effort: effort, allowed: allowed, clock: clock, scratch: scratch)
    else { return SearchOutcome() }
    return search.run()
  }

  /// Searches for each query; `body` has what was found, whether an ordinal is among the neighbours, and how many those are.
  func forEachQuery(
    of index: PartitionedIndex, effort: SearchEffort, allowed: OrdinalFilter? = nil, truth: [[UInt64]],
    body: (SearchOutcome, (UInt32) -> Bool, Int) -> Void
  ) {
    var isTrue = [UInt64](repeating: 0, count: (index.count + 63) / 64)
    for (number, neighbours) in truth.enumerated() {
      for key in neighbours { isTrue[Int(mk_key_ordinal(key)) >> 6] |= 1 << UInt64(mk_key_ordinal(key) & 63) }
      let range = number * index.dimensions..<(number + 1) * index.dimensions
      let outcome = queries[range].withUnsafeBufferPointer { query in
        // With a filter by lists, even if so few pass that they would be scored one by one.
        allowed.map { listSearch(query, of: index, effort: effort, allowed: $0) }
          ?? index.search(query, k: k, effort: effort, time: SystemTime(), scratch: scratch)
      }
      body(outcome, { isTrue[Int($0) >> 6] >> UInt64($0 & 63) & 1 == 1 }, neighbours.count)
      for key in neighbours { isTrue[Int(mk_key_ordinal(key)) >> 6] = 0 }
    }
  }

  /// What refining leaves of the loss of rows of bytes, at most.
  static var refinedLoss: Float { 0.0015 }

  private static func frontier(_ seen: [(point: EffortPoint, cost: Double)]) -> [EffortPoint] {
    // Steps of a thousandth near the top and of a hundredth below: as many as the segment has room for.
    let targets =
      stride(from: 0.5, to: 0.9, by: 0.05).map { Float($0) }
      + stride(from: 0.9, to: 0.97, by: 0.005).map { Float($0) }
      + stride(from: 0.97, to: 0.9985, by: 0.002).map { Float($0) }
    var curve: [EffortPoint] = []
    for target in targets {
      let cheapest = seen.filter { $0.point.recall >= target }.min { $0.cost < $1.cost }
      guard let point = cheapest?.point else { break }
      if curve.last != point { curve.append(point) }
    }
    if let last = seen.max(by: { $0.point.recall < $1.point.recall }),
      curve.last?.recall ?? -1 < last.point.recall
    {
      curve.append(last.point)
    }
    return curve
  }
}
