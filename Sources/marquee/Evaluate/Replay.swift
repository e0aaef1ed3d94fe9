import Base
import Catalogue
import Features
import Foundation
import Ranking
import Serving

/// Makes the requests of a plan to snapshots, with every event fed to the online store before the request that it came
/// before, as a replica has them.
struct Replay {
  /// One snapshot under a name.
  struct Subject {
    var name: String
    var generation: Generation
    /// Its ranker is late, always: rows are in retrieval order, by the ladder's own rung.
    var isRankerLate = false
  }

  /// What was measured at each request, in the plan's order.
  struct Measured {
    var name: String
    var recall: [Double] = []
    var ndcg: [Double] = []
    var hit: [Double] = []

    /// `candidates` are up to 500, `row` is up to 10.
    mutating func add(_ wanted: Set<UInt32>, candidates: [UInt32], row: [UInt32]) {
      let found = candidates.reduce(0) { $0 + (wanted.contains($1) ? 1 : 0) }
      recall.append(Double(found) / Double(min(wanted.count, Replay.candidateCount)))
      var gain = 0.0
      for (place, title) in row.enumerated() where wanted.contains(title) {
        gain += 1 / log2(Double(place) + 2)
      }
      let best = (0..<min(wanted.count, Replay.rowCount)).reduce(0.0) { $0 + 1 / log2(Double($1) + 2) }
      ndcg.append(gain / best)
      hit.append(gain > 0 ? 1 : 0)
    }
  }

  static let candidateCount = 500
  static let rowCount = 10

  let table: InteractionTable
  let plan: ReplayPlan
  let subjects: [Subject]
  let country: String
  let progress: (Double) -> Void

  func run() throws -> [Measured] {
    guard let first = plan.requests.first, let view = subjects.first?.generation.catalogue else { return [] }
    let store = EmbeddedOnlineStore()
    let lanes = subjects.map { Lane($0, store: store, from: first.at) }
    var measured = subjects.map { Measured(name: $0.name) }
    let events = timeline()
    var next = 0
    for (number, request) in plan.requests.enumerated() {
      var batch: [Event] = []
      while next < events.count, events[next].at < request.at {
        batch.append(event(events[next], view))
        next += 1
      }
      store.apply(batch)
      for (place, lane) in lanes.enumerated() {
        let answer = try lane.rank(table.profileIDs[request.profile], at: request.at, number: number, country)
        measured[place].add(
          request.wanted, candidates: answer.candidates, row: answer.row)
      }
      if number % 50 == 0 { progress(Double(number) / Double(plan.requests.count)) }
    }
    return measured
  }

  private struct Place {
    var at: Timestamp
    var profile: Int
    var row: Int
  }

  /// Every interaction, in time order.
  private func timeline() -> [Place] {
    var places: [Place] = []
    places.reserveCapacity(table.rows.count)
    for profile in 0..<table.profileCount {
      for row in table.offsets[profile]..<table.offsets[profile + 1] {
        places.append(Place(at: table.rows[row].at, profile: profile, row: row))
      }
    }
    places.sort { ($0.at, $0.profile, $0.row) < ($1.at, $1.profile, $1.row) }
    return places
  }

  private func event(_ place: Place, _ view: CatalogueView) -> Event {
    let row = table.rows[place.row]
    return Event(
      id: "\(place.row)", profileID: table.profileIDs[place.profile], titleID: view.id(row.ordinal),
      kind: row.kind,
      at: row.at, progress: row.progress)
  }

  /// One subject with a time of its own, which only the replay moves.
  private final class Lane {
    private let probe: RankProbe
    private let time: ManualTime
    private let view: CatalogueView
    private let isRankerLate: Bool

    init(_ subject: Subject, store: EmbeddedOnlineStore, from start: Timestamp) {
      let time = ManualTime(now: Timestamp(milliseconds: start.milliseconds - 1))
      self.time = time
      view = subject.generation.catalogue
      isRankerLate = subject.isRankerLate
      let stages = subject.isRankerLate ? RankStages(scorer: LateScorer(time: time)) : RankStages()
      probe = RankProbe(subject.generation, histories: store, stages: stages, time: time)
    }

    func rank(
      _ profile: String, at moment: Timestamp, number: Int, _ country: String
    ) throws -> (candidates: [UInt32], row: [UInt32]) {
      time.advance(milliseconds: max(0, moment.milliseconds - time.now.milliseconds))
      let answer = try probe.rank(
        RankRequest(
          requestID: "evaluate-\(number)", profileID: profile, country: country, titlesPerRow: Replay.rowCount
        ))
      // Any other rung would mean that something else was measured.
      let rungs = Set(answer.rungs).subtracting([.noHistory, .shortRow])
      guard rungs == (isRankerLate ? [.retrievalOrder] : []) else {
        throw Fault(.internalError, "a request took the rungs \(rungs)")
      }
      let row = answer.rows.first { $0.id == "top_picks" }
      return (
        Array(answer.candidates.prefix(Replay.candidateCount)),
        row?.titles.prefix(Replay.rowCount).compactMap { view.ordinal(ofID: $0.id) } ?? []
      )
    }
  }

  /// Takes longer than any budget.
  private struct LateScorer: Scorer {
    let time: ManualTime

    func score(
      _ rows: UnsafeBufferPointer<Float>, count: Int, into scores: UnsafeMutableBufferPointer<Float>,
      in generation: Generation, scratch: RankerScratch
    ) {
      time.advance(milliseconds: Int64(generation.policy.budgets.totalMilliseconds))
      for place in 0..<count { scores[place] = 0 }
    }
  }
}
