internal import Base
internal import CKernels

/// How an index is built. The defaults suit a thousand to ten million titles.
package struct IndexOptions: Sendable {
  /// Lists; four times the square root of the titles if `nil`, or fewer for a small catalogue.
  package var listCount: Int?
  /// Dimensions of a code; as many as hold what tells titles apart if `nil`.
  package var headCount: Int?
  package var iterationCount: Int
  package var seed: UInt64
  package var threads: Int
  /// Recall that searches aim for unless they say otherwise.
  package var recallTarget: Float
  /// Queries to choose it with, unit vectors of the index's dimensions one after another; means of related titles
  /// are made if empty.
  package var tuningQueries: [Float]

  package init(
    listCount: Int? = nil, iterationCount: Int = 10, seed: UInt64 = 1, threads: Int = 1,
    recallTarget: Float = 0.95, tuningQueries: [Float] = [], headCount: Int? = nil
  ) {
    self.listCount = listCount
    self.headCount = headCount
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
  /// Lists that a search for 500 titles looks into, in the mean.
  package var probes: Int
  /// Recall@500 measured so; `nil` when it was not measured.
  package var recall: Float?
}

/// Builds one part's index segment.
package enum IndexBuilder {
  /// Builds the index of `source` at `path`.
  ///
  /// With a `parent`, titles are put into lists around its centroids, in its steps, and its curve is taken over: for a
  /// tail, or for a base that keeps its lists. The same source, options and parent give the same bytes, whatever the
  /// threads.
  ///
  /// Throws a ``Base/Fault`` with `invalidArgument` for vectors that can't be indexed, and a ``Base/DiskFault``.
  @discardableResult
  package static func build(
    _ source: some VectorSource, to path: String, options: IndexOptions = IndexOptions(),
    parent: VectorIndex? = nil, progress: (IndexProgress) -> Void = { _ in }
  ) throws -> IndexSummary {
    try check(source, options: options, parent: parent)
    let plan = parent.map(Plan.init) ?? Plan(source, options: options, progress: progress)
    let assignment = Assignment(
      source, rotation: plan.rotation, centroids: plan.centroids, threads: options.threads
    ) { progress(IndexProgress(.assign, $0 / 2)) }
    if let bad = assignment.badOrdinal {
      throw Fault(.invalidArgument, "the vector of title \(bad) is not finite: embed it again")
    }
    let lists = EncodedLists(
      centroids: plan.centroids, head: plan.head,
      radii: parent?.radii
        ?? assignment.radii(listCount: plan.centroids.count, head: plan.centroids.dimensions),
      steps: parent?.steps ?? EncodedLists.steps(largest: assignment.largest), rotation: plan.rotation)
    let titles = EncodedTitles(
      source, lists: assignment.lists, listCount: plan.centroids.count, rotation: plan.rotation,
      steps: lists.steps, head: plan.head, threads: options.threads
    ) { progress(IndexProgress(.assign, 0.5 + $0 / 2)) }
    progress(IndexProgress(.assign, 1))
    var writer = IndexWriter(
      lists: lists, titles: titles,
      curve: parent?.curve ?? RecallCurve(points: [], target: options.recallTarget),
      count: source.count)
    if parent == nil {
      let tuner = SearchTuner(source, lists: assignment.lists, options: options)
      writer.curve.points = writer.withTables(dimensions: source.dimensions) { tables in
        tuner.points(tables: tables) { progress(IndexProgress(.tune, $0)) }
      }
    }
    try writer.write(dimensions: source.dimensions, to: path) { progress(IndexProgress(.write, $0)) }
    return IndexSummary(
      titleCount: source.count, listCount: plan.centroids.count, largestListCount: titles.largestSize,
      probes: VectorIndex.probes(writer.curve, listCount: plan.centroids.count),
      recall: writer.curve.tuned?.recall)
  }

  /// Four times the square root of the titles, but 48 titles a list at least, since lists are padded to 16.
  static func listCount(titleCount: Int) -> Int {
    let rule = min(Int(4 * Double(titleCount).squareRoot()), titleCount / 48)
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
}

/// What the titles of all parts are put into order by.
private struct Plan {
  let rotation: Rotation
  let head: Int
  let centroids: Centroids

  init(_ parent: VectorIndex) {
    rotation = parent.rotation
    head = parent.tables.head
    centroids = parent.centroids
  }

  /// Axes from one sample, clusters from another: 40 titles a list are what means settle on.
  init(_ source: some VectorSource, options: IndexOptions, progress: (IndexProgress) -> Void) {
    let axes = PrincipalAxes(SampledVectors(source, count: 32_768, seed: options.seed ^ 0x6178_6573))
    rotation = Rotation(axes: axes.axes, dimensions: source.dimensions)
    head =
      options.headCount.map { VectorIndex.headCount($0, dimensions: source.dimensions) } ?? axes.headCount
    progress(IndexProgress(.cluster, 0.1))
    let listCount = max(
      1, min(options.listCount ?? IndexBuilder.listCount(titleCount: source.count), VectorIndex.listCountMax))
    let heads = HeadVectors(
      source: SampledVectors(
        source, count: max(listCount * 40, 16_384), seed: options.seed ^ 0x5a3b_1e00),
      rotation: rotation, dimensions: min(head, source.dimensions))
    var sample = [Float](repeating: 0, count: heads.count * heads.dimensions)
    sample.withUnsafeMutableBufferPointer { sample in
      for begin in stride(from: 0, to: heads.count, by: 256) {
        let end = min(heads.count, begin + 256)
        let range = begin * heads.dimensions..<end * heads.dimensions
        heads.copy(begin..<end, into: UnsafeMutableBufferPointer(rebasing: sample[range]))
      }
    }
    progress(IndexProgress(.cluster, 0.2))
    let clustering = Clustering(
      listCount: listCount, iterationCount: options.iterationCount, seed: options.seed,
      threads: options.threads)
    centroids = clustering.run(sample, dimensions: heads.dimensions) {
      progress(IndexProgress(.cluster, 0.2 + 0.8 * $0))
    }
    progress(IndexProgress(.cluster, 1))
  }
}
