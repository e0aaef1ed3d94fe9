internal import Base
internal import CKernels

/// The k nearest titles of some queries, found by scoring every title.
struct ExactNeighbours<Source: VectorSource> {
  let source: Source
  /// Rows of the source's dimensions.
  let queries: [Float]
  let k: Int
  let threads: Int

  private var queryCount: Int { queries.count / source.dimensions }

  /// The keys of the k nearest titles of each query, in no order.
  func keys(progress: (Double) -> Void) -> [[UInt64]] {
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
