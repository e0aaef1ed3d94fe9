internal import Base
internal import CKernels

/// Runs searches that the index was not built from, with rising effort, and finds what each recall costs.
struct SearchTuner<Source: VectorSource> {
  private let source: Source
  private let queries: [Float]
  private let queryCount: Int
  private let threads: Int

  /// A small catalogue is searched exactly, until a tail makes it larger.
  static func queryCountMax(titleCount: Int) -> Int { titleCount > PartitionedIndex.exactCountMax ? 192 : 32 }
  static var targets: [Float] { [0.90, 0.95, 0.98, 0.99] }
  /// Results that searches are tuned for.
  static var resultCounts: [Int] { [50, 500] }

  init(_ source: Source, lists: [UInt32], options: IndexOptions) {
    self.source = source
    threads = max(options.threads, 1)
    let given = options.tuningQueries.prefix(
      Self.queryCountMax(titleCount: source.count) * source.dimensions)
    queries =
      given.isEmpty ? Self.profiles(source, assigned: lists, seed: options.seed) : Array(given)
    queryCount = queries.count / source.dimensions
  }

  /// The settings that are tried, from the laziest.
  static var settings: [SearchSetting] {
    let yields: [Float] = [2.5, 1.2, 0.8, 0.55, 0.38, 0.26, 0.18, 0.12, 0.08, 0.05, 0.03, 0.015]
    let rescores: [Float] = [1.05, 1.15, 1.3, 1.5, 1.8, 2.4]
    return yields.flatMap { yield in
      rescores.map { SearchSetting(yieldShare: yield, rescoreShare: $0) }
    }
  }

  /// For each number of results and each target, the cheapest setting that reached it, or the best there was.
  func points(tables: IndexTables, progress: (Double) -> Void) -> [RecallPoint] {
    let counts = Set(Self.resultCounts.map { min($0, source.count) }).sorted()
    guard let most = counts.last else { return [] }
    let truth = ExactNeighbours(source: source, queries: queries, k: most, threads: threads)
      .find { progress($0 / 2) }
    var points: [RecallPoint] = []
    for (index, k) in counts.enumerated() {
      let trials = self.trials(tables: tables, k: k, truth: truth)
      for target in Self.targets {
        // What was measured on some queries holds for others give or take.
        let good = trials.filter { $0.point.recall >= target + Self.margin }
        let best = good.min { $0.cost < $1.cost } ?? trials.max { $0.point.recall < $1.point.recall }
        if var point = best?.point {
          point.target = target
          points.append(point)
        }
      }
      progress(0.5 + Double(index + 1) / Double(2 * counts.count))
    }
    return points
  }

  private static var margin: Float { 0.001 }

  /// What a setting found for one query.
  private struct Trial {
    var found = 0
    var lists = 0
    var titles = 0
  }

  private func trials(
    tables: IndexTables, k: Int, truth: [[UInt64]]
  ) -> [(point: RecallPoint, cost: Double)] {
    let settings = Self.settings
    var trials = [Trial](repeating: Trial(), count: queryCount * settings.count)
    let parts = SearchPart.parts([(tables, 0)])
    trials.withUnsafeMutableBufferPointer { trials in
      queries.withUnsafeBufferPointer { queries in
        forEachBlock(of: queryCount, blockCount: 1, threads: threads) { range, _ in
          let scratch = SearchScratch()
          for query in range {
            guard let start = queries.baseAddress else { return }
            let wanted = Set(truth[query].prefix(k).map { mk_key_ordinal($0) })
            for (index, setting) in settings.enumerated() {
              var search = Search(
                parts: parts, query: start + query * source.dimensions, k: k, setting: setting, allowed: nil,
                count: source.count, watch: DeadlineWatch(deadline: .distantFuture, time: SystemTime()),
                scratch: scratch)
              let outcome = search.run()
              trials[query * settings.count + index] = Trial(
                found: scratch.ordinals.prefix(outcome.count).count { wanted.contains($0) },
                lists: outcome.probedListCount, titles: outcome.scannedCount)
            }
          }
        }
      }
    }
    return settings.enumerated().map { index, setting in
      let mine = stride(from: index, to: trials.count, by: settings.count).map { trials[$0] }
      let share = 1 / Float(max(queryCount, 1))
      let (lists, titles) = (mine.reduce(0) { $0 + $1.lists }, mine.reduce(0) { $0 + $1.titles })
      let point = RecallPoint(
        k: k, target: 0, setting: setting,
        recall: Float(mine.reduce(0) { $0 + $1.found }) * share / Float(max(k, 1)),
        lists: Float(lists) * share, titles: Float(titles) * share)
      return (point, cost(point, tables: tables))
    }
  }

  /// About how long a search takes, in nanoseconds where memory gives 20 GB/s: bytes of codes, lines of rows. Reckoned,
  /// not measured: the same catalogue must give the same index.
  private func cost(_ point: RecallPoint, tables: IndexTables) -> Double {
    let codes = Double(point.titles) * Double(tables.head) / 20
    let lines = Double(tables.rowStride / 64)
    return codes + Double(point.k) * Double(point.setting.rescoreShare) * (15 + 8 * lines)
  }

  /// Means of 5 to 20 titles from one to three lists, as profiles are.
  private static func profiles(
    _ source: Source, assigned: [UInt32], seed: UInt64
  ) -> [Float] {
    var random = SplitMix(seed: seed ^ 0x7175_6572)
    var members = [[UInt32]](repeating: [], count: Int(assigned.max() ?? 0) + 1)
    for (ordinal, list) in assigned.enumerated() { members[Int(list)].append(UInt32(ordinal)) }
    let dimensions = source.dimensions
    let queryCount = queryCountMax(titleCount: source.count)
    var queries = [Float](repeating: 0, count: queryCount * dimensions)
    var vector = [Float](repeating: 0, count: dimensions)
    for query in 0..<queryCount {
      let tastes = (0..<Int.random(in: 1...3, using: &random)).map { _ in
        Int(assigned[Int.random(in: 0..<source.count, using: &random)])
      }
      for _ in 0..<Int.random(in: 5...20, using: &random) {
        let list = tastes[Int.random(in: 0..<tastes.count, using: &random)]
        let ordinal = Int(members[list][Int.random(in: 0..<members[list].count, using: &random)])
        vector.withUnsafeMutableBufferPointer { source.copy(ordinal..<ordinal + 1, into: $0) }
        let weight = Float.random(in: 0.1...1, using: &random)
        for dimension in 0..<dimensions {
          queries[query * dimensions + dimension] += weight * vector[dimension]
        }
      }
    }
    return queries
  }
}
