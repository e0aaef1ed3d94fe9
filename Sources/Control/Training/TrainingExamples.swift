internal import Base
internal import Catalogue
internal import Features
internal import Ranking
internal import Retrieval

/// Makes rows of visits: the title that was taken to, and others that were not, each with the features of its moment.
///
/// Nothing in a row comes from its moment or later: the history is that before it, popularity is of an earlier moment,
/// and a title that was not released yet is no negative.
struct TrainingExamples {
  var catalogue: CatalogueView
  var live: Bitmap
  var table: InteractionTable
  var vectors: PartitionedVectors
  var index: PartitionedIndex
  var definitions: FeatureDefinitions
  var timeline: ScoreTimeline
  /// What all profiles took to, in time order: drawing from it is drawing by popularity.
  var taken: [(at: Timestamp, ordinal: UInt32)]
  var time: any TimeSource

  static let trainNegativeCount = 4
  /// Enough for a rank to mean something, and a wanted title rarely at its top by chance.
  static let evaluationNegativeCount = 50
  private static let nearCount = 200

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
    let own = Set(rows.map(\.ordinal))
    var history = ProfileHistory()
    var next = 0
    for visit in Visit.all(of: profile, in: table) {
      let part = visit.at < cut ? Part.train : later
      // Strictly before: of two things at the same millisecond neither foretells the other.
      while next < rows.count, rows[next].at < visit.at {
        history.insert(event(rows[next], profile: profile, place: next))
        next += 1
      }
      guard visit.at >= start, wanted.contains(part) else { continue }
      let moment = ProfileMoment(
        history, at: visit.at, definitions: definitions, catalogue: catalogue, vectors: vectors)
      // Seen again after it was finished: rows don't offer it again, so ranking it is not to be learnt.
      let isSeen = rows[..<next].contains { $0.ordinal == visit.ordinal }
      guard !isSeen || moment.isInProgress(visit.ordinal) else { continue }
      // A rejection teaches; ranking is measured on what was wanted.
      guard visit.isWanted || part == .train else { continue }
      let count =
        visit.isWanted ? (part == .train ? Self.trainNegativeCount : Self.evaluationNegativeCount) : 0
      let negatives = negatives(count, for: moment, besides: own, scratch: scratch, random: &random)
      let group = sets.groupCounts[part.rawValue]
      sets.groupCounts[part.rawValue] += 1
      append(
        visit.ordinal, moment, label: visit.isWanted ? 1 : 0, weight: 1, group: group,
        to: &sets.rows[part.rawValue])
      // As if there were as many as in training, so that probabilities can be compared.
      let weight = Float(Self.trainNegativeCount) / Float(max(1, negatives.count))
      for ordinal in negatives {
        append(ordinal, moment, label: 0, weight: weight, group: group, to: &sets.rows[part.rawValue])
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

  /// Half of them near to the profile, half popular at the time: what retrieval brings and the ranker has to sort.
  private func negatives(
    _ count: Int, for moment: ProfileMoment, besides own: Set<UInt32>, scratch: SearchScratch,
    random: inout SplitMix
  ) -> [UInt32] {
    guard count > 0 else { return [] }
    var chosen: [UInt32] = []
    let day = Int32(clamping: moment.at.milliseconds / 86_400_000)
    func take(_ ordinal: UInt32) {
      guard live[Int(ordinal)], !own.contains(ordinal), !chosen.contains(ordinal),
        catalogue.releaseDay(ordinal).map({ $0 <= day }) ?? true
      else { return }
      chosen.append(ordinal)
    }
    if !moment.vector.isEmpty {
      let outcome = moment.vector.withUnsafeBufferPointer {
        index.search($0, k: Self.nearCount, time: time, scratch: scratch)
      }
      for _ in 0..<(count * 2) where outcome.count > 0 && chosen.count < count / 2 {
        take(scratch.ordinals[Int.random(in: 0..<outcome.count, using: &random)])
      }
    }
    let known = takenCount(before: moment.at)
    for _ in 0..<(count * 4) where known > 0 && chosen.count < count * 3 / 4 {
      take(taken[Int.random(in: 0..<known, using: &random)].ordinal)
    }
    // The rest from anywhere, so that the ranker also sees what retrieval would never bring.
    for _ in 0..<(count * 4) where chosen.count < count {
      take(UInt32(Int.random(in: 0..<live.count, using: &random)))
    }
    return chosen
  }

  private func takenCount(before moment: Timestamp) -> Int {
    var low = 0
    var high = taken.count
    while low < high {
      let middle = (low + high) / 2
      if taken[middle].at < moment { low = middle + 1 } else { high = middle }
    }
    return low
  }

  private func event(_ row: InteractionTable.Row, profile: Int, place: Int) -> Event {
    Event(
      id: "\(profile):\(place)", profileID: table.profileIDs[profile], titleID: catalogue.id(row.ordinal),
      kind: row.kind, at: row.at, progress: row.progress)
  }
}
