internal import Base
internal import CKernels

/// How an index is built. The defaults suit a thousand to ten million titles.
package struct IndexOptions: Sendable {
  /// Lists; about twice the square root of the titles if `nil`.
  package var listCount: Int?
  package var iterationCount: Int
  package var seed: UInt64
  package var threads: Int
  /// Pairs of codes of 4 bits a title; as many as pay if `nil`.
  package var pairCount: Int?
  /// Recall@500 that the effort is chosen for.
  package var recallTarget: Float
  /// Queries to choose it with, unit vectors of the index's dimensions one after another; means of related titles
  /// are made if empty.
  package var tuningQueries: [Float]

  package init(
    listCount: Int? = nil, pairCount: Int? = nil, iterationCount: Int = 10, seed: UInt64 = 1,
    threads: Int = 1,
    recallTarget: Float = 0.95, tuningQueries: [Float] = []
  ) {
    self.listCount = listCount
    self.pairCount = pairCount
    self.iterationCount = iterationCount
    self.seed = seed
    self.threads = threads
    self.recallTarget = recallTarget
    self.tuningQueries = tuningQueries
  }
}

package struct IndexProgress: Sendable, Equatable {
  package enum Stage: String, Sendable { case cluster, assign, write, tune }

  package var stage: Stage
  /// 0 to 1, of this stage.
  package var share: Double

  package init(_ stage: Stage, _ share: Double) {
    self.stage = stage
    self.share = share
  }
}

/// What was built, for people and logs.
package struct IndexSummary: Sendable, Equatable {
  package var titleCount: Int
  package var listCount: Int
  package var largestListCount: Int
  /// Pairs of codes of 4 bits that a title has: bytes. None in a tail.
  package var pairCount: Int
  package var effort: SearchEffort
  /// Recall@500 measured with this effort; `nil` when it was not measured.
  package var recall: Float?
}

/// Builds one part's index segment.
package enum IndexBuilder {
  /// Builds the index of `source` at `path`.
  ///
  /// With a `parent`, titles are put into lists around its centroids, as a tail of it. The same source, options and parent give the same bytes, whatever the threads.
  ///
  /// Throws a ``Base/Fault`` with `invalidArgument` for vectors that can't be indexed, and a ``Base/DiskFault``.
  @discardableResult
  package static func build(
    _ source: some VectorSource, to path: String, options: IndexOptions = IndexOptions(),
    parent: VectorIndex? = nil, progress: (IndexProgress) -> Void = { _ in }
  ) throws -> IndexSummary {
    try check(source, options: options, parent: parent)
    let centroids = try parent.map(base) ?? cluster(source, options: options, progress: progress)
    let (assigned, bad) = Assigner(centroids).assign(source, threads: options.threads) {
      progress(IndexProgress(.assign, $0))
    }
    if let bad { throw Fault(.invalidArgument, "the vector of title \(bad) is not finite: embed it again") }
    var lists = Lists(assigned, count: centroids.count)
    let coding = parent == nil ? coding(source, centroids, lists, options) : nil
    if let coding { lists = coding.blocks.lists }
    let turn = coding?.books.turn
    let head = IndexHead(
      dimensions: source.dimensions, rowStride: VectorIndex.rowStride(dimensions: source.dimensions),
      titleCount: source.count, listCount: centroids.count, pairCount: turn?.pairCount ?? 0,
      turnedCount: turn?.count ?? 0,
      effort: parent?.effort
        ?? SearchEffort(reach: SearchEffort.reachAll, kept: 2000, lists: centroids.count),
      spreadWeight: 0, filterLaw: FilterLaw(), blockStep: coding?.blocks.step ?? 0,
      digest: centroids.digest)
    let writer = IndexWriter(
      head: head, centroids: centroids, lists: lists, coding: coding, threads: options.threads)
    try writer.write(source, to: path) { progress(IndexProgress(.write, $0)) }
    var summary = IndexSummary(
      titleCount: source.count, listCount: centroids.count, largestListCount: lists.largestCount,
      pairCount: head.pairCount, effort: head.effort)
    if parent == nil {
      let given = options.tuningQueries.prefix(EffortTuner.queryCountMax * source.dimensions)
      var maker = TuningQueries(source, centroids, lists, seed: options.seed)
      let queries = given.isEmpty ? maker.make(count: EffortTuner.queryCountMax) : Array(given)
      try tune(&summary, source, at: path, head: head, queries: queries, options: options) {
        progress(IndexProgress(.tune, $0))
      }
    }
    return summary
  }

  private static func base(_ parent: VectorIndex) throws -> Centroids {
    guard let centroids = parent.centroids else {
      throw Fault(.invalidArgument, "\(parent.name) is a tail: build around its base")
    }
    return centroids
  }

  private static func tune(
    _ summary: inout IndexSummary, _ source: some VectorSource, at path: String, head: IndexHead,
    queries: [Float],
    options: IndexOptions, progress: (Double) -> Void
  ) throws {
    let index = try VectorIndex(opening: MappedBytes(path: path), name: path)
    let tuner = EffortTuner(index, source, queries: queries, k: SearchEffort.k, threads: options.threads) {
      progress($0 / 2)
    }
    let curve = tuner.curve { progress(0.5 + $0 / 2) }
    var head = head
    head.spreadWeight = tuner.spreadWeight
    if let effort = curve.effort(recall: options.recallTarget) {
      head.effort = effort
      head.filterLaw = tuner.filterLaw(
        source, effort: effort, threads: options.threads,
        recall: curve.recall(of: effort) ?? options.recallTarget)
      summary.effort = effort
      summary.recall = min(options.recallTarget, curve.last?.recall ?? 0)
    }
    try IndexWriter.tune(path, head: head, curve: curve)
  }

  /// Blocks, and books for what lies between their middles and titles.
  private static func coding(
    _ source: some VectorSource, _ centroids: Centroids, _ lists: Lists, _ options: IndexOptions
  ) -> IndexWriter.Coding {
    let dimensions = source.dimensions
    let count = min(source.count, max(2048, min(32_768, (8 << 20) / dimensions)))
    let vectors = ListVectors(source: source, lists: lists, centroids: centroids)
    var residuals: [Float] = []
    residuals.reserveCapacity(count * dimensions)
    vectors.forResiduals(count: count) { places, rows in
      residuals += UnsafeBufferPointer(start: rows, count: places.count * dimensions)
    }
    let turn = CodeTurn(
      residuals: residuals, centroids: centroids, sizes: lists.sizes, pairCount: options.pairCount)
    let blocks = ListBlocks(vectors, turn: turn, threads: options.threads)
    var sample = [Float](repeating: 0, count: count * turn.count)
    var done = 0
    let arranged = ListVectors(source: source, lists: blocks.lists, centroids: centroids)
    sample.withUnsafeMutableBufferPointer { sample in
      guard let start = sample.baseAddress else { return }
      arranged.forResiduals(count: count) { places, rows in
        turn.turn(rows, rowCount: places.count, into: start + done * turn.count)
        for place in places {
          let block = blocks.block(of: place, in: blocks.lists.list(of: place))
          _ = blocks.subtractMiddle(block, from: start + done * turn.count, width: turn.count)
          done += 1
        }
      }
    }
    return IndexWriter.Coding(
      books: CodeBooks(turn, sample: sample, seed: options.seed), blocks: blocks)
  }

  /// Twice the square root of the titles, in whole panels: a list is then a quarter of the lists' number.
  static func listCount(titleCount: Int) -> Int {
    let rule = Int(2 * Double(titleCount).squareRoot())
    return min(max(1, rule / Int(MK_PANEL) * Int(MK_PANEL)), VectorIndex.listCountMax)
  }

  private static func check(_ source: some VectorSource, options: IndexOptions, parent: VectorIndex?) throws {
    guard (1...Limits.dimensionsMax).contains(source.dimensions) else {
      throw Fault(.invalidArgument, "vectors have 1 to 1024 dimensions, not \(source.dimensions)")
    }
    guard source.count <= Limits.titleCountMax else {
      throw Fault(
        .invalidArgument, "\(source.count) titles are more than the \(Limits.titleCountMax) of a generation")
    }
    guard options.tuningQueries.count % source.dimensions == 0, options.tuningQueries.allSatisfy(\.isFinite)
    else {
      throw Fault(.invalidArgument, "tuning queries are finite vectors of \(source.dimensions) dimensions")
    }
    if let parent {
      guard parent.dimensions == source.dimensions else {
        throw Fault(
          .invalidArgument,
          "vectors have \(source.dimensions) dimensions and the parent's \(parent.dimensions): build a new base"
        )
      }
    } else if source.count == 0 {
      throw Fault(.invalidArgument, "an index needs at least one title")
    }
  }

  /// Clusters a sample that is spread evenly over the ordinals: 64 titles a list, which is what means settle on.
  private static func cluster(
    _ source: some VectorSource, options: IndexOptions, progress: (IndexProgress) -> Void
  ) -> Centroids {
    let listCount = options.listCount ?? Self.listCount(titleCount: source.count)
    let room = max(16_384, (128 << 20) / source.dimensions)
    let count = min(source.count, max(min(listCount * 64, room), 16_384))
    var random = SplitMix(seed: options.seed ^ 0x5a3b_1e00)
    var sample = [Float](repeating: 0, count: count * source.dimensions)
    sample.withUnsafeMutableBufferPointer { sample in
      for place in 0..<count {
        let low = place * source.count / count
        let high = (place + 1) * source.count / count
        let ordinal = Int.random(in: low..<max(high, low + 1), using: &random)
        let range = place * source.dimensions..<(place + 1) * source.dimensions
        source.copy(ordinal..<ordinal + 1, into: UnsafeMutableBufferPointer(rebasing: sample[range]))
        // A vector that isn't finite must not spoil every mean; assigning will name it.
        for index in range where !sample[index].isFinite { sample[index] = 0 }
      }
    }
    let clustering = Clustering(
      listCount: max(1, min(listCount, VectorIndex.listCountMax)), iterationCount: options.iterationCount,
      seed: options.seed, threads: options.threads)
    return clustering.run(sample, dimensions: source.dimensions) { progress(IndexProgress(.cluster, $0)) }
  }
}
