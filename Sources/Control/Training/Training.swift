package import Base
internal import Catalogue
package import Features
internal import Ranking
internal import Retrieval

/// Trains a ranker on a workspace's interactions, split by time, and measures it against similarity and popularity.
///
/// Three stretches of time follow each other. On the first the space is fitted that similarities come from: rows of the
/// same time would see a space that knows their outcome, which no request ever does. On the second the ranker is trained.
/// On the third half of the profiles choose the epoch, and the other half are measured on.
package struct Training: Sendable {
  package struct Options: Sendable {
    package var workspace: String
    /// The ranker segment's file.
    package var output: String
    package var features = FeatureDefinitions()
    /// Visits that rows are made of, 21 a visit: 10,000 are some seconds.
    package var trainVisitCountMax = 10_000
    /// For choosing the epoch and for measuring, each; 51 rows a visit.
    package var evaluationVisitCountMax = 1_000
    /// The share of the interactions, by time, that the space is fitted on.
    package var spaceShare = 0.7
    /// The share of the interactions, by time, that lies before what is measured on.
    package var trainShare = 0.9
    /// None is logistic regression.
    package var hiddenWidths = [32, 16]
    package var epochCountMax = 20
    package var seed: UInt64 = 1
    /// A directory for the rows, for other tools to train on; `nil` for none.
    package var rowsPath: String?
    package var threads = 1

    package init(workspace: String, output: String) {
      self.workspace = workspace
      self.output = output
    }
  }

  package enum Step: String, Sendable, CaseIterable {
    case titles, interactions, space, index, rows, train, measure
  }

  package struct Progress: Sendable, Equatable {
    package var step: Step
    /// 0 to 1, of this step.
    package var share: Double
  }

  private static let momentCount = 12

  let options: Options
  let disk: any Disk
  let time: any TimeSource
  let progress: @Sendable (Progress) -> Void

  package init(
    _ options: Options, disk: any Disk = SystemDisk(), time: any TimeSource = SystemTime(),
    progress: @escaping @Sendable (Progress) -> Void = { _ in }
  ) {
    self.options = options
    self.disk = disk
    self.time = time
    self.progress = progress
  }

  /// Writes the ranker and returns how good it is. Throws a ``Base/Fault`` when there is too little to learn from, and
  /// what reading and writing throw.
  package func run() throws -> TrainingReport {
    let workspace = try Workspace(path: options.workspace)
    let scratch = try ScratchDirectory(options.output + ".training", disk: disk)
    let (sets, cut) = try rows(of: workspace, scratch: scratch)
    let (train, validation, test) = (sets[.train], sets[.validation], sets[.test])
    guard train.count > 0, validation.count > 0, test.count > 0 else {
      throw Fault(
        .failedPrecondition,
        "\(train.count) rows before the cut and \(validation.count) and \(test.count) after it are too few: "
          + "import interactions of more profiles, or lower the share of training")
    }
    let options = options
    if let path = options.rowsPath {
      try disk.createDirectory(path)
      for (part, rows) in [("train", train), ("validation", validation), ("test", test)] {
        try rows.write(to: path, part: part, disk: disk)
      }
      try disk.writeDurably(
        Array((CandidateFeatures.names.joined(separator: ",") + "\n").utf8), to: "\(path)/features.txt")
    }
    report(.train, 0)
    let outcome = try RankerTrainer.train(
      train, validation: validation, features: CandidateFeatures.names,
      options: TrainingOptions(
        hiddenWidths: options.hiddenWidths, epochCountMax: options.epochCountMax, seed: options.seed)
    ) { report(.train, Double($0.number) / Double(options.epochCountMax)) }
    try outcome.parameters.write(to: options.output)

    report(.measure, 0)
    let scores = RankerTrainer.scores(of: RankerModel(outcome.parameters), test)
    let result = TrainingReport(
      trainRowCount: train.count, validationRowCount: validation.count, testRowCount: test.count,
      cutMilliseconds: cut.milliseconds, epochCount: outcome.epochs.count, bestEpoch: outcome.bestEpoch,
      ranker: try measures("ranker", scores: scores, logits: scores, test),
      similarity: try baseline("similarity", train: train, validation: validation, test: test),
      popularity: try baseline("popularity", train: train, validation: validation, test: test))
    report(.measure, 1)
    return result
  }

  func report(_ step: Step, _ share: Double) { progress(Progress(step: step, share: share)) }

  // MARK: Rows

  func rows(
    of workspace: Workspace, scratch: ScratchDirectory
  ) throws -> (TrainingExamples.Sets, cut: Timestamp) {
    report(.titles, 0)
    let basePath = scratch.file("catalogue", "base")
    let count = try CataloguePart.writeBase(titles: workspace.titlesPath, to: basePath)
    guard count > 0 else { throw Fault(.failedPrecondition, "the workspace \(workspace.path) has no titles") }
    let base = try CataloguePart(opening: try disk.map(basePath), name: "catalogue/base")
    let live = Bitmap(count: count, filled: true)
    let statPath = scratch.file("statistics", "all")
    try CatalogueStat.write(
      to: statPath, base: base, tail: nil, live: live, scores: TitleScores(count: count))
    let catalogue = try CatalogueView(
      base: base, tail: nil, stat: try CatalogueStat(opening: try disk.map(statPath), name: "statistics/all"))

    report(.interactions, 0)
    let table = try InteractionTable(path: workspace.interactionsPath, view: catalogue)
    let times = table.rows.map(\.at).sorted()
    guard options.spaceShare > 0, options.spaceShare < options.trainShare, options.trainShare < 1 else {
      throw Fault(
        .invalidArgument,
        "the shares rise from 0 to 1: space \(options.spaceShare), training \(options.trainShare)")
    }
    guard let first = times.first, let last = times.last, first < last else {
      throw Fault(
        .failedPrecondition, "the workspace \(workspace.path) has no interactions over time to learn from")
    }
    let start = times[Int(Double(times.count) * options.spaceShare)]
    let cut = times[Int(Double(times.count) * options.trainShare)]

    let neighboursPath = scratch.file("neighbours", "base")
    try NeighbourWriter.write(
      titleCount: count, wanted: table.before(start).wanted, to: neighboursPath, threads: options.threads)
    let neighbours = try TitleNeighbours(
      base: NeighbourBase.open(try disk.map(neighboursPath), name: "neighbours/base"))
    let (vectors, index) = try retrieval(
      workspace, count: count, known: table.before(start), scratch: scratch)
    report(.rows, 0)
    let timeline = ScoreTimeline(table, titleCount: count, sorted: times, momentCount: Self.momentCount)
    let examples = TrainingExamples(
      catalogue: catalogue, table: table, vectors: vectors, neighbours: neighbours,
      candidates: TrainingCandidates(catalogue: catalogue, index: index, timeline: timeline, time: time),
      definitions: options.features, timeline: timeline)
    let sets = examples.sets(
      start: start, cut: cut,
      visitCountMax: [
        .train: options.trainVisitCountMax, .validation: options.evaluationVisitCountMax,
        .test: options.evaluationVisitCountMax,
      ], seed: options.seed)
    report(.rows, 1)
    return (sets, cut)
  }

  private func retrieval(
    _ workspace: Workspace, count: Int, known: InteractionTable, scratch: ScratchDirectory
  ) throws -> (PartitionedVectors, PartitionedIndex) {
    let (spacePath, vectorsPath) = (scratch.file("space", "all"), scratch.file("vectors", "base"))
    let progress = progress
    let step = VectorStep(seed: options.seed, threads: options.threads) {
      progress(Progress(step: .space, share: $0))
    }
    _ = try step.fit(
      titles: workspace.titlesPath, count: count, interactions: known, spacePath: spacePath,
      vectorsPath: vectorsPath)
    let vectors = try Vectors(opening: try disk.map(vectorsPath), name: "vectors/base")
    report(.index, 0)
    let indexPath = scratch.file("index", "base")
    try IndexBuilder.build(
      vectors, to: indexPath, options: IndexOptions(seed: options.seed, threads: options.threads))
    let index = try VectorIndex(opening: try disk.map(indexPath), name: "index/base")
    return (try PartitionedVectors([vectors]), try PartitionedIndex([(index, vectors)]))
  }

  // MARK: Measures

  private func baseline(
    _ feature: String, train: TrainingRows, validation: TrainingRows, test: TrainingRows
  ) throws -> TrainingReport.Measures {
    guard let column = CandidateFeatures.names.firstIndex(of: feature) else {
      preconditionFailure("\(feature) is a feature")
    }
    let alone = train.column(column)
    let outcome = try RankerTrainer.train(
      alone, validation: validation.column(column), features: [feature],
      options: TrainingOptions(hiddenWidths: [], epochCountMax: options.epochCountMax, seed: options.seed))
    let test = test.column(column)
    return try measures(
      feature, scores: test.values, logits: RankerTrainer.scores(of: RankerModel(outcome.parameters), test),
      test)
  }

  private func measures(
    _ subject: String, scores: [Float], logits: [Float], _ rows: TrainingRows
  ) throws(Fault) -> TrainingReport.Measures {
    guard let auc = RankingMetrics.auc(scores: scores, labels: rows.labels),
      let ndcg = RankingMetrics.ndcg(at: 10, scores: scores, labels: rows.labels, groups: rows.groups),
      let loss = RankingMetrics.logLoss(logits: logits, labels: rows.labels, weights: rows.weights)
    else { throw Fault(.failedPrecondition, "nothing to measure on: the rows after the cut are of one kind") }
    return TrainingReport.Measures(subject: subject, auc: auc, ndcg10: ndcg, logLoss: loss)
  }
}

extension TrainingRows {
  /// One feature of the same rows.
  fileprivate func column(_ feature: Int) -> TrainingRows {
    var rows = TrainingRows(featureCount: 1)
    for row in 0..<count {
      rows.append(
        CollectionOfOne(values[row * featureCount + feature]), label: labels[row], weight: weights[row],
        group: groups[row])
    }
    return rows
  }
}
