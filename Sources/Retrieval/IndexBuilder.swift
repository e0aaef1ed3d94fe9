internal import Base
internal import CKernels

/// How an index is built. The defaults suit a thousand to ten million titles.
package struct IndexOptions: Sendable {
  /// Lists; about twice the square root of the titles if `nil`.
  package var listCount: Int?
  package var iterationCount: Int
  package var seed: UInt64
  package var threads: Int
  /// Recall@500 that the number of probes is chosen for.
  package var recallTarget: Float
  /// Queries to choose it with, unit vectors of the index's dimensions one after another; means of related titles
  /// are made if empty.
  package var tuningQueries: [Float]

  package init(
    listCount: Int? = nil, iterationCount: Int = 10, seed: UInt64 = 1, threads: Int = 1,
    recallTarget: Float = 0.95, tuningQueries: [Float] = []
  ) {
    self.listCount = listCount
    self.iterationCount = iterationCount
    self.seed = seed
    self.threads = threads
    self.recallTarget = recallTarget
    self.tuningQueries = tuningQueries
  }
}

package struct IndexProgress: Sendable, Equatable {
  package enum Stage: String, Sendable { case cluster, assign, tune, write }

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
  package var probes: Int
  /// Recall@500 measured with these probes; `nil` when it was not measured.
  package var recall: Float?
}

/// Builds one part's index segment.
package enum IndexBuilder {
  /// Builds the index of `source` at `path`.
  ///
  /// With a `parent`, titles are put into lists around its centroids, and its probes are taken over: for a tail, or
  /// for a base that keeps its lists. The same source, options and parent give the same bytes, whatever the threads.
  ///
  /// Throws a ``Base/Fault`` with `invalidArgument` for vectors that can't be indexed, and a ``Base/DiskFault``.
  @discardableResult
  package static func build(
    _ source: some VectorSource, to path: String, options: IndexOptions = IndexOptions(),
    parent: VectorIndex? = nil, progress: (IndexProgress) -> Void = { _ in }
  ) throws -> IndexSummary {
    try check(source, options: options, parent: parent)
    let centroids = parent?.centroids ?? cluster(source, options: options, progress: progress)
    let (assigned, bad) = Assigner(centroids).assign(source, threads: options.threads) {
      progress(IndexProgress(.assign, $0))
    }
    if let bad { throw Fault(.invalidArgument, "the vector of title \(bad) is not finite: embed it again") }
    let lists = Lists(assigned, count: centroids.count)
    var curve: [(probes: Int, recall: Float)] = []
    var probes = parent?.probes ?? 1
    if let parent {
      curve = parent.recallCurve
    } else {
      curve = ProbeTuner(source, centroids: centroids, assigned: assigned, lists: lists, options: options)
        .curve { progress(IndexProgress(.tune, $0)) }
      probes = curve.first { $0.recall >= options.recallTarget }?.probes ?? centroids.count
    }
    let writer = IndexWriter(centroids: centroids, lists: lists, probes: probes, curve: curve)
    try writer.write(source, to: path) { progress(IndexProgress(.write, $0)) }
    return IndexSummary(
      titleCount: source.count, listCount: centroids.count, largestListCount: lists.largestCount,
      probes: probes, recall: curve.first { $0.probes == probes }?.recall)
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
    let count = min(source.count, max(listCount * 64, 16_384))
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

/// Titles by list: places `offsets[list]..<offsets[list + 1]` of `ordinals`, in the order of the ordinals.
struct Lists {
  let offsets: [UInt32]
  let ordinals: [UInt32]

  init(_ assigned: [UInt32], count: Int) {
    var offsets = [UInt32](repeating: 0, count: count + 1)
    for list in assigned { offsets[Int(list) + 1] += 1 }
    for list in 0..<count { offsets[list + 1] += offsets[list] }
    var next = offsets
    var ordinals = [UInt32](repeating: 0, count: assigned.count)
    for (ordinal, list) in assigned.enumerated() {
      ordinals[Int(next[Int(list)])] = UInt32(ordinal)
      next[Int(list)] += 1
    }
    self.offsets = offsets
    self.ordinals = ordinals
  }

  var largestCount: Int { zip(offsets, offsets.dropFirst()).map { Int($1 - $0) }.max() ?? 0 }
}
