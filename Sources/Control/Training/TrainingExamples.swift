internal import Base
internal import Catalogue
internal import Features
internal import Ranking
internal import Retrieval

/// Makes rows of visits: the title that was taken to, and others that retrieval would have brought beside it and that were
/// not taken to, each with the features of its moment.
///
/// A visit whose title retrieval would not have brought makes no rows: no ranker can help it. Nothing in a row comes from
/// its moment or later: the history is that before it, popularity is of an earlier moment, and a title that was not
/// released yet is no negative.
struct TrainingExamples {
  var catalogue: CatalogueView
  var table: InteractionTable
  var vectors: PartitionedVectors
  var neighbours: TitleNeighbours
  var candidates: TrainingCandidates
  var definitions: FeatureDefinitions
  var timeline: ScoreTimeline

  static let trainNegativeCount = 20
  /// Enough for a rank to mean something, and a wanted title rarely at its top by chance.
  static let evaluationNegativeCount = 50

  enum Part: Int, CaseIterable { case train, validation, test }

  struct Sets {
    var rows = Part.allCases.map { _ in TrainingRows(featureCount: CandidateFeatures.count) }
    /// Visits that rows were made of, by part.
    var groupCounts = Part.allCases.map { _ in 0 }

    subscript(part: Part) -> TrainingRows { rows[part.rawValue] }
  }

  /// Goes through the profiles in an order of its own until each part has `visitCountMax` visits or they end. Rows of
  /// training are of visits from `start` until `cut`, the others of visits after it.
  func sets(start: Timestamp, cut: Timestamp, visitCountMax: [Part: Int], seed: UInt64) -> Sets {
    var random = SplitMix(seed: seed ^ 0x7a_11)
    var sets = Sets()
    let scratch = SearchScratch()
    for profile in (0..<table.profileCount).shuffled(using: &random) {
      // Validation and test are of the same time and of different people.
      let later: Part = random.next() & 1 == 0 ? .validation : .test
      var wanted: Set<Part> = []
      for part in [Part.train, later] where sets.groupCounts[part.rawValue] < visitCountMax[part] ?? 0 {
        wanted.insert(part)
      }
      if wanted.isEmpty {
        if Part.allCases.allSatisfy({ sets.groupCounts[$0.rawValue] >= visitCountMax[$0] ?? 0 }) { break }
        continue
      }
      add(
        profile, from: start, cut: cut, later: later, wanted: wanted, to: &sets, scratch: scratch,
        random: &random)
    }
    return sets
  }

  private func add(
    _ profile: Int, from start: Timestamp, cut: Timestamp, later: Part, wanted: Set<Part>,
    to sets: inout Sets,
    scratch: SearchScratch,
    random: inout SplitMix
  ) {
    let rows = Array(table.rows(of: profile))
    var history = ProfileHistory()
    var next = 0
    var released: (day: Day, titles: [UInt32])?
    for visit in Visit.all(of: profile, in: table) {
      let part = visit.at < cut ? Part.train : later
      // Strictly before: of two things at the same millisecond neither foretells the other.
      while next < rows.count, rows[next].at < visit.at {
        history.insert(event(rows[next], profile: profile, place: next))
        next += 1
      }
      guard visit.at >= start, wanted.contains(part) else { continue }
      let moment = ProfileMoment(
        history, at: visit.at, definitions: definitions, catalogue: catalogue, vectors: vectors,
        neighbours: neighbours)
      // Seen again after it was finished: rows don't offer it again, so ranking it is not to be learnt.
      let isSeen = rows[..<next].contains { $0.ordinal == visit.ordinal }
      guard !isSeen || moment.isInProgress(visit.ordinal) else { continue }
      // A rejection teaches; ranking is measured on what was wanted.
      guard visit.isWanted || part == .train else { continue }
      let count =
        visit.isWanted ? (part == .train ? Self.trainNegativeCount : Self.evaluationNegativeCount) : 0
      let day = Day(of: visit.at)
      if released?.day != day { released = (day, candidates.released(on: day)) }
      let gathered = candidates.gather(moment, new: released?.titles ?? [], scratch: scratch)
      guard gathered.contains(visit.ordinal) else { continue }
      // What was met before and comes again is not what is wanted next; what is met later may be.
      let later = Set(rows[next...].map(\.ordinal))
      let negatives = negatives(count, among: gathered, besides: later, on: day, random: &random)
      let group = sets.groupCounts[part.rawValue]
      sets.groupCounts[part.rawValue] += 1
      // As if there were as many as in training, so that probabilities can be compared.
      let weight = Float(Self.trainNegativeCount) / Float(max(1, negatives.count))
      // In any order: ties go to what stands first, and a title that always did would win them all.
      for ordinal in ([visit.ordinal] + negatives).shuffled(using: &random) {
        let isVisited = ordinal == visit.ordinal
        append(
          ordinal, moment, label: isVisited && visit.isWanted ? 1 : 0, weight: isVisited ? 1 : weight,
          group: group,
          to: &sets.rows[part.rawValue])
      }
    }
  }

  private func append(
    _ ordinal: UInt32, _ moment: ProfileMoment, label: Float, weight: Float, group: Int,
    to rows: inout TrainingRows
  ) {
    rows.append(
      moment.row(ordinal, catalogue: catalogue, vectors: vectors, timeline: timeline), label: label,
      weight: weight, group: group)
  }

  /// Any of what was gathered, each as likely as the others.
  private func negatives(
    _ count: Int, among gathered: [UInt32], besides later: Set<UInt32>, on day: Day, random: inout SplitMix
  ) -> [UInt32] {
    var left = gathered.filter {
      !later.contains($0) && catalogue.releaseDay($0).map { $0 <= day.number } ?? true
    }
    var chosen: [UInt32] = []
    while chosen.count < count, !left.isEmpty {
      let place = Int.random(in: 0..<left.count, using: &random)
      chosen.append(left[place])
      left.swapAt(place, left.count - 1)
      left.removeLast()
    }
    return chosen
  }

  private func event(_ row: InteractionTable.Row, profile: Int, place: Int) -> Event {
    Event(
      id: "\(profile):\(place)", profileID: table.profileIDs[profile], titleID: catalogue.id(row.ordinal),
      kind: row.kind, at: row.at, progress: row.progress)
  }
}
