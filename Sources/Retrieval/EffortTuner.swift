internal import Base
internal import CKernels

/// Measures what efforts reach on queries that the index was not built from, by searching with them.
package struct EffortTuner {
  private let index: PartitionedIndex
  private let queries: [Float]
  private let k: Int
  private let scratch = SearchScratch()
  private let truth: [[UInt32]]
  private let coverage: ListCoverage
  /// What the segment is to say of filters.
  let filterLaw: FilterLaw

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
      .keys(progress: progress).map { $0.map { mk_key_ordinal($0) } }
    self.truth = truth
    coverage =
      spreadWeight.map { ListCoverage(index, queries: queries, truth: truth, spreadWeight: $0) }
      ?? .best(index, queries: queries, truth: truth)
    filterLaw = Self.law(index, source, queries: queries, coverage: coverage, k: self.k, threads: threads)
    var index = index
    index.spreadWeight = coverage.spreadWeight
    self.index = PartitionedIndex(alone: index)
  }

  /// The same lists, when only few titles may be found.
  private static func law(
    _ index: VectorIndex, _ source: some VectorSource, queries: [Float], coverage: ListCoverage, k: Int,
    threads: Int
  ) -> FilterLaw {
    let step = FilterLaw.sparseShare
    let sparse = SparseVectors(source: source, step: step)
    guard sparse.count >= FilterLaw.sparseCountMin else { return FilterLaw() }
    let truth = ExactNeighbours(source: sparse, queries: queries, k: k, threads: threads).keys { _ in }
      .map { $0.map { mk_key_ordinal($0) * UInt32(step) } }
    let other = ListCoverage(index, queries: queries, truth: truth, spreadWeight: coverage.spreadWeight)
    return FilterLaw(
      wholeProbes: coverage.probes(share: FilterLaw.coverage),
      sparseProbes: other.probes(share: FilterLaw.coverage + FilterLaw.sparseSurplus))
  }

  /// Points of rising recall and cost: no cheaper effort was seen to reach as much.
  package func curve(progress: (Double) -> Void) -> [EffortPoint] {
    var seen: [(point: EffortPoint, cost: Double)] = []
    var probes = 4
    var best: Float = 0
    while true {
      let count = min(probes, index.listCount)
      let bestBefore = best
      var sum: Float = 0
      for kept in Self.keptCounts {
        let measured = measure(probes: count, kept: kept)
        seen.append(contentsOf: measured)
        best = max(best, measured.map(\.point.recall).max() ?? 0)
        // More candidates bring nothing more.
        let reached = measured.reduce(0) { $0 + $1.point.recall }
        if reached < sum + 0.0005 { break }
        sum = reached
      }
      progress(min(Double(best), 0.99))
      if best >= Self.recallEnough || count == index.listCount { break }
      // More lists bring hardly more: what is missing, codes lose.
      if best >= 0.99, best < bestBefore + 0.0003 { break }
      probes = max(probes + 1, probes * 6 / 5)
    }
    progress(1)
    return Self.frontier(seen)
  }

  private static var keptCounts: [Int] { [560, 640, 740, 860, 1000, 1200, 1500, 2000, 2800, 4000] }
  private static var recallEnough: Float { 0.997 }

  /// Recall with and without refining, and what it costs, about, in nanoseconds.
  private func measure(probes: Int, kept: Int) -> [(point: EffortPoint, cost: Double)] {
    var (plain, refined) = (Shares(), Shares())
    var (scanned, rows, probed) = (0, 0, 0)
    var isTrue = [UInt64](repeating: 0, count: (index.count + 63) / 64)
    for (number, neighbours) in truth.enumerated() {
      for ordinal in neighbours { isTrue[Int(ordinal) >> 6] |= 1 << UInt64(ordinal & 63) }
      let range = number * index.dimensions..<(number + 1) * index.dimensions
      let outcome = queries[range].withUnsafeBufferPointer {
        index.search(
          $0, k: k, effort: SearchEffort(probes: probes, kept: kept), time: SystemTime(), scratch: scratch)
      }
      let isFound = { (ordinal: UInt32) in isTrue[Int(ordinal) >> 6] >> UInt64(ordinal & 63) & 1 == 1 }
      plain.add((0..<outcome.count).count { isFound(scratch.ordinals[$0]) }, of: neighbours.count)
      // Refining finds all that are among the candidates, or nearly.
      let (held, ordinals) = (scratch.pool.pointee.held, index.parts[0].index.ordinals)
      refined.add(
        (0..<held).count { isFound(ordinals[Int(scratch.pool.pointee.places[$0])]) }, of: neighbours.count)
      scanned += outcome.scannedCount
      rows += held
      probed += outcome.probedListCount
      for ordinal in neighbours { isTrue[Int(ordinal) >> 6] = 0 }
    }
    let queryCount = Double(max(1, truth.count))
    let pairs = Double(index.parts[0].index.coded?.pairCount ?? 0)
    let rowBytes = Double(index.parts[0].index.rowStride)
    let cost =
      Double(scanned) / queryCount * (0.1 + 0.025 * pairs) + Double(rows) / queryCount * (6 + 0.09 * rowBytes)
      + Double(probes) * 40
    // More lists than asked for, where these had too few titles.
    let probedMean = Int((Double(probed) / queryCount).rounded(.up))
    let probesSeen = min(max(probes, probedMean), index.listCount)
    let point = { (refines: Bool, recall: Float) in
      EffortPoint(
        effort: SearchEffort(probes: probesSeen, kept: kept, refines: refines), recall: recall)
    }
    return [
      (point(false, plain.low), cost),
      (point(true, refined.low - Self.refinedLoss), cost + 100 * (10 + 0.2 * rowBytes)),
    ]
  }

  /// What refining leaves of the loss of rows of bytes, at most.
  private static var refinedLoss: Float { 0.001 }

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
