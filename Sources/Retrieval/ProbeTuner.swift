internal import Base
internal import CKernels

/// Measures recall against probes on queries that the index was not built from.
///
/// The true neighbours of each query are found exactly; in which list each lies, and at which place that list is
/// probed, then gives recall for every number of probes at once.
struct ProbeTuner<Source: VectorSource> {
  private let source: Source
  private let centroids: Centroids
  private let assigned: [UInt32]
  private let queries: [Float]
  private let queryCount: Int
  private let k: Int
  private let threads: Int

  static var queryCountMax: Int { 128 }

  init(_ source: Source, centroids: Centroids, assigned: [UInt32], lists: Lists, options: IndexOptions) {
    self.source = source
    self.centroids = centroids
    self.assigned = assigned
    threads = options.threads
    k = min(500, source.count)
    let given = options.tuningQueries.prefix(Self.queryCountMax * source.dimensions)
    queries =
      given.isEmpty
      ? Self.profiles(source, assigned: assigned, lists: lists, seed: options.seed) : Array(given)
    queryCount = queries.count / source.dimensions
  }

  /// Recall, lowered by what bytes and re-scoring lose at most, for rising numbers of probes up to all lists.
  func curve(progress: (Double) -> Void) -> [(probes: Int, recall: Float)] {
    let neighbours = exactNeighbours(progress: progress)
    var found = [Int](repeating: 0, count: centroids.count)
    for (query, keys) in neighbours.enumerated() {
      let place = placeOfLists(query)
      for key in keys { found[place[Int(assigned[Int(mk_key_ordinal(key))])]] += 1 }
    }
    let total = Float(max(1, neighbours.reduce(0) { $0 + $1.count }))
    var curve: [(probes: Int, recall: Float)] = []
    var sum = 0
    for (place, count) in found.enumerated() {
      sum += count
      let probes = place + 1
      // Every number up to 64, then steps of about 3 %.
      let isStep =
        probes <= 64 || probes == centroids.count
        || probes % max(1, 1 << (probes.bitWidth - probes.leadingZeroBitCount - 6)) == 0
      if isStep { curve.append((probes, max(0, Float(sum) / total - Self.byteLoss))) }
      if sum == Int(total) && isStep { break }
    }
    return curve
  }

  /// What int8 rows cost in recall@500 when twice as many candidates are scored again, with a margin for the sample.
  private static var byteLoss: Float { 0.002 }

  /// Means of 5 to 20 titles from one to three lists, as profiles are.
  private static func profiles(
    _ source: Source, assigned: [UInt32], lists: Lists, seed: UInt64
  ) -> [Float] {
    var random = SplitMix(seed: seed ^ 0x7175_6572)
    let dimensions = source.dimensions
    var queries = [Float](repeating: 0, count: queryCountMax * dimensions)
    var vector = [Float](repeating: 0, count: dimensions)
    for query in 0..<queryCountMax {
      let tastes = (0..<Int.random(in: 1...3, using: &random)).map { _ in
        Int(assigned[Int.random(in: 0..<source.count, using: &random)])
      }
      for _ in 0..<Int.random(in: 5...20, using: &random) {
        let list = tastes[Int.random(in: 0..<tastes.count, using: &random)]
        let place = Int.random(in: Int(lists.offsets[list])..<Int(lists.offsets[list + 1]), using: &random)
        let ordinal = Int(lists.ordinals[place])
        vector.withUnsafeMutableBufferPointer { source.copy(ordinal..<ordinal + 1, into: $0) }
        let weight = Float.random(in: 0.1...1, using: &random)
        for dimension in 0..<dimensions {
          queries[query * dimensions + dimension] += weight * vector[dimension]
        }
      }
    }
    return queries
  }

  /// The place at which each list is probed for a query.
  private func placeOfLists(_ query: Int) -> [Int] {
    let dimensions = source.dimensions
    var products = [Float](repeating: 0, count: centroids.count)
    queries.withUnsafeBufferPointer { queries in
      guard let start = queries.baseAddress else { return }
      mk_active().pointee.dot_floats(
        centroids.values, dimensions, centroids.count, start + query * dimensions, dimensions, &products)
    }
    var keys = products.enumerated().map { mk_key($1, UInt32($0)) }
    mk_sort_descending(&keys, keys.count)
    var place = [Int](repeating: 0, count: centroids.count)
    for (index, key) in keys.enumerated() { place[Int(mk_key_ordinal(key))] = index }
    return place
  }

  /// The keys of the k nearest titles of each query, in no order.
  private func exactNeighbours(progress: (Double) -> Void) -> [[UInt64]] {
    let dimensions = source.dimensions
    let workers = max(1, threads)
    let padded = (queryCount + Int(MK_PANEL) - 1) / Int(MK_PANEL) * Int(MK_PANEL)
    var panels = [Float](repeating: 0, count: padded * dimensions)
    mk_pack_transposed(queries, dimensions, dimensions, queryCount, &panels)
    let bias = [Float](repeating: 0, count: padded)
    // Each worker has its own best for each query; they are put together at the end, in an order of their own.
    var best = (0..<workers).map { _ in Nearest(queryCount: queryCount, k: k) }
    let block = 256
    let strideCount = max(block, (source.count / 20 + block - 1) / block * block)
    var begin = 0
    while begin < source.count {
      let end = min(source.count, begin + strideCount)
      best.withUnsafeMutableBufferPointer { best in
        forEachBlock(of: end - begin, blockCount: block, threads: workers) { range, worker in
          let rows = range.count
          withUnsafeTemporaryAllocation(of: Float.self, capacity: rows * (dimensions + queryCount)) {
            memory in
            guard let start = memory.baseAddress else { return }
            let first = begin + range.lowerBound
            source.copy(first..<first + rows, into: memory)
            let products = start + rows * dimensions
            mk_active().pointee.dense(
              start, dimensions, rows, dimensions, panels, bias, queryCount, 0, products, queryCount)
            best[worker].add(products, rows: rows, first: UInt32(first))
          }
        }
      }
      begin = end
      progress(Double(end) / Double(source.count))
    }
    return (0..<queryCount).map { query in
      var keys = best.flatMap { $0.keys(query) }
      let count = min(k, keys.count)
      mk_keep_largest(&keys, keys.count, count)
      return Array(keys.prefix(count))
    }
  }
}

/// The best k keys of each query, as they come.
private struct Nearest {
  private let queryCount: Int
  private let k: Int
  private var held: [Int]
  private var threshold: [Float]
  private var slots: [UInt64]

  init(queryCount: Int, k: Int) {
    self.queryCount = queryCount
    self.k = k
    held = [Int](repeating: 0, count: queryCount)
    threshold = [Float](repeating: -.infinity, count: queryCount)
    slots = [UInt64](repeating: 0, count: queryCount * k * 2)
  }

  /// `products` has a row of `queryCount` floats for each title from `first` on.
  mutating func add(_ products: UnsafePointer<Float>, rows: Int, first: UInt32) {
    for row in 0..<rows {
      for query in 0..<queryCount {
        let product = products[row * queryCount + query]
        guard product >= threshold[query] else { continue }
        slots[query * k * 2 + held[query]] = mk_key(product, first + UInt32(row))
        held[query] += 1
        if held[query] == k * 2 { letGo(query) }
      }
    }
  }

  func keys(_ query: Int) -> ArraySlice<UInt64> { slots[query * k * 2..<query * k * 2 + held[query]] }

  private mutating func letGo(_ query: Int) {
    slots.withUnsafeMutableBufferPointer { slots in
      guard let start = slots.baseAddress else { return }
      mk_keep_largest(start + query * k * 2, k * 2, k)
    }
    held[query] = k
    threshold[query] = mk_key_score(keys(query).min() ?? 0)
  }
}
