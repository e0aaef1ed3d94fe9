internal import Base
internal import Catalogue
internal import Embedding
internal import Retrieval
internal import Snapshots

extension SnapshotBuild {
  /// Catalogue, space, vectors, index, statistics and golden queries.
  func titles(
    of workspace: Workspace, parent: ParentSnapshot?, scratch: ScratchDirectory
  ) throws -> BuildDraft {
    report(.titles, 0)
    if let parent {
      let tailPath = scratch.file("catalogue", "tail")
      let tailCountMax = Int(Double(parent.base.count) * options.tailShareMax)
      if let delta = try CatalogueDelta.write(
        titles: workspace.titlesPath, base: parent.base, to: tailPath, tailCountMax: tailCountMax)
      {
        return try incremental(workspace, parent: parent, delta: delta, scratch: scratch)
      }
    }
    return try full(workspace, scratch: scratch)
  }

  private func full(_ workspace: Workspace, scratch: ScratchDirectory) throws -> BuildDraft {
    let basePath = scratch.file("catalogue", "base")
    let expected = max(1, workspace.manifest.titleCount)
    let count = try CataloguePart.writeBase(titles: workspace.titlesPath, to: basePath) {
      report(.titles, Double($0) / Double(expected))
    }
    guard count > 0 else { throw Fault(.failedPrecondition, "the workspace \(workspace.path) has no titles") }
    let base = try CataloguePart(opening: try disk.map(basePath), name: "catalogue/base")
    let live = Bitmap(count: count, filled: true)
    var draft = BuildDraft(isFull: true, tailCount: 0, liveCount: count, disk: disk)
    draft.add("catalogue", "base", basePath)

    let table = try interactions(of: workspace, base: base, tail: nil, live: live)
    let (spacePath, vectorsPath) = (scratch.file("space", "all"), scratch.file("vectors", "base"))
    draft.space = try vectorStep.fit(
      titles: workspace.titlesPath, count: count, interactions: table, spacePath: spacePath,
      vectorsPath: vectorsPath
    ).name
    draft.add("space", "all", spacePath)
    draft.add("vectors", "base", vectorsPath)
    let vectors = try Vectors(opening: try disk.map(vectorsPath), name: "vectors/base")

    let indexPath = scratch.file("index", "base")
    draft.index = try IndexBuilder.build(
      vectors, to: indexPath, options: IndexOptions(seed: options.seed, threads: options.threads)
    ) { report(.index, $0.overallShare) }
    draft.add("index", "base", indexPath)
    let index = try VectorIndex(opening: try disk.map(indexPath), name: "index/base")
    try finish(
      &draft, base: base, tail: nil, live: live, table: table, pairs: [(index, vectors)], parent: nil,
      scratch: scratch)
    return draft
  }

  private func incremental(
    _ workspace: Workspace, parent: ParentSnapshot, delta: CatalogueDelta, scratch: ScratchDirectory
  ) throws -> BuildDraft {
    let tailCount = delta.tailTitles.count
    var draft = BuildDraft(
      isFull: false, tailCount: tailCount, liveCount: delta.keptCount + tailCount, disk: disk)
    for kind in ["catalogue", "vectors", "index"] {
      let path = scratch.file(kind, "base")
      try parent.write(kind, "base", to: path, disk: disk)
      draft.add(kind, "base", path)
    }
    let spacePath = scratch.file("space", "all")
    try parent.write("space", "all", to: spacePath, disk: disk)
    draft.add("space", "all", spacePath)
    let space = try Space(
      opening: try parent.snapshot.segment(kind: "space", name: "all"), name: "space/all")
    draft.space = space.name

    var tail: CataloguePart?
    if tailCount > 0 {
      let path = scratch.file("catalogue", "tail")
      draft.add("catalogue", "tail", path)
      tail = try CataloguePart(opening: try disk.map(path), name: "catalogue/tail")
    }
    let table = try interactions(of: workspace, base: parent.base, tail: tail, live: delta.live)
    var pairs = [(index: parent.index, vectors: parent.vectors)]
    if tailCount > 0 {
      let (vectorsPath, indexPath) = (scratch.file("vectors", "tail"), scratch.file("index", "tail"))
      guard space.parameters.dimensions == parent.vectors.dimensions else {
        throw Refusal(.unreadable, at: "space/all", "has other dimensions than vectors/base")
      }
      try vectorStep.embed(
        delta.tailTitles, in: space, base: parent.vectors, interactions: table, vectorsPath: vectorsPath)
      draft.add("vectors", "tail", vectorsPath)
      let vectors = try Vectors(opening: try disk.map(vectorsPath), name: "vectors/tail")
      draft.index = try IndexBuilder.build(
        vectors, to: indexPath, options: IndexOptions(seed: options.seed, threads: options.threads),
        parent: parent.index
      ) { report(.index, $0.overallShare) }
      draft.add("index", "tail", indexPath)
      pairs.append((try VectorIndex(opening: try disk.map(indexPath), name: "index/tail"), vectors))
    }
    try finish(
      &draft, base: parent.base, tail: tail, live: delta.live, table: table, pairs: pairs, parent: parent,
      scratch: scratch)
    return draft
  }

  /// Statistics, neighbours and golden queries, over both parts. The parent is one whose base is kept.
  private func finish(
    _ draft: inout BuildDraft, base: CataloguePart, tail: CataloguePart?, live: Bitmap,
    table: InteractionTable, pairs: [(index: VectorIndex, vectors: Vectors)], parent: ParentSnapshot?,
    scratch: ScratchDirectory
  ) throws {
    report(.statistics, 0)
    let statPath = scratch.file("statistics", "all")
    // As of the newest interaction, not of the clock: the same workspace gives the same bytes.
    let scores =
      table.newest.map { TitleScores(table, count: live.count, now: $0) } ?? TitleScores(count: live.count)
    try CatalogueStat.write(to: statPath, base: base, tail: tail, live: live, scores: scores)
    draft.add("statistics", "all", statPath)
    let stat = try CatalogueStat(opening: try disk.map(statPath), name: "statistics/all")

    try neighbours(
      &draft, of: table, base: base, tail: tail, live: live, parent: parent,
      scratch: scratch)

    report(.golden, 0)
    let golden = GoldenStep(
      catalogue: try CatalogueView(base: base, tail: tail, stat: stat), live: live,
      vectors: try PartitionedVectors(pairs.map(\.vectors)), index: try PartitionedIndex(pairs),
      interactions: table, seed: options.seed, time: time)
    let goldenPath = scratch.file("golden", "all")
    try disk.writeDurably(GoldenQueries.encode(try golden.queries()), to: goldenPath)
    draft.add("golden", "all", goldenPath)
    report(.golden, 1)
  }

  private func interactions(
    of workspace: Workspace, base: CataloguePart, tail: CataloguePart?, live: Bitmap
  ) throws(CatalogueFault) -> InteractionTable {
    report(.interactions, 0)
    defer { report(.interactions, 1) }
    return try InteractionTable(path: workspace.interactionsPath) { id in
      if let local = tail?.ordinal(ofIDBytes: id) { return UInt32(base.count + local) }
      guard let local = base.ordinal(ofIDBytes: id), live[local] else { return nil }
      return UInt32(local)
    }
  }

  private var vectorStep: VectorStep {
    let progress = progress
    return VectorStep(seed: options.seed, threads: options.threads) {
      progress(Progress(step: .space, share: $0))
    }
  }
}

extension IndexProgress {
  /// The stages take about equally long.
  fileprivate var overallShare: Double {
    let done: Double =
      switch stage {
      case .cluster: 0
      case .assign: 1
      case .write: 2
      case .tune: 3
      }
    return (done + share) / 4
  }
}
