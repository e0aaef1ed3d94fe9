import Base
import Catalogue
import Foundation
import Ranking

/// What a replay came to, for people and scripts.
struct EvaluationReport: Encodable {
  struct Interval: Encodable {
    var mean: Double
    var low: Double
    var high: Double

    init(_ bootstrap: Bootstrap) { (mean, low, high) = (bootstrap.mean, bootstrap.low, bootstrap.high) }
  }

  struct Subject: Encodable {
    var subject: String
    var recall500: Interval
    var ndcg10: Interval
    var hr10: Interval
  }

  /// By how much a subject's NDCG@10 is above a baseline's, request by request: an interval above zero is ahead of it.
  struct Comparison: Encodable {
    var subject: String
    var baseline: String
    var ndcg10: Interval
    var hr10: Interval
  }

  var titles: Int
  var profiles: Int
  var requests: Int
  var requestsWithoutHistory: Int
  var wantedPerRequest: Double
  var interactionsBefore: Int
  var interactionsAfter: Int
  var splitMilliseconds: Int64
  var origin: String
  var synthetic: Bool
  var subjects: [Subject] = []
  var comparisons: [Comparison] = []

  init(
    source: EvaluationSource, plan: ReplayPlan, table: InteractionTable, baselines: [Replay.Measured],
    replayed: [Replay.Measured], seed: UInt64
  ) {
    titles = source.before.manifest.titleCount
    profiles = plan.places.count
    requests = plan.requests.count
    requestsWithoutHistory = plan.requests.count { $0.history.isEmpty }
    wantedPerRequest = Double(plan.requests.reduce(0) { $0 + $1.wanted.count }) / Double(max(1, requests))
    interactionsBefore = source.before.manifest.interactionCount
    interactionsAfter = table.rows.count { $0.at >= source.split }
    splitMilliseconds = source.split.milliseconds
    origin = source.whole.manifest.origin
    synthetic = source.whole.manifest.synthetic

    func interval(_ values: [Double]) -> Interval {
      guard let bootstrap = Bootstrap(plan.places.map { $0.map { values[$0] } }, seed: seed) else {
        preconditionFailure("a report has requests")
      }
      return Interval(bootstrap)
    }
    let all = baselines + replayed
    subjects = all.map {
      Subject(
        subject: $0.name, recall500: interval($0.recall), ndcg10: interval($0.ndcg), hr10: interval($0.hit))
    }
    // The rankers against everything that needs none.
    let simple = baselines + replayed.prefix(1)
    for subject in replayed.dropFirst() {
      for baseline in simple {
        comparisons.append(
          Comparison(
            subject: subject.name, baseline: baseline.name,
            ndcg10: interval(zip(subject.ndcg, baseline.ndcg).map { $0 - $1 }),
            hr10: interval(zip(subject.hit, baseline.hit).map { $0 - $1 })))
      }
    }
  }

  var text: String {
    let day = Date(timeIntervalSince1970: Double(splitMilliseconds) / 1000)
      .formatted(.iso8601.year().month().day())
    var lines = [
      "\(origin)\(synthetic ? " (synthetic)" : ""): \(readable(count: interactionsBefore)) interactions before \(day), "
        + "\(readable(count: interactionsAfter)) after; \(readable(count: titles)) titles",
      "\(readable(count: requests)) requests of \(readable(count: profiles)) profiles, "
        + "\(readable(count: requestsWithoutHistory)) without a history; "
        + String(format: "%.1f titles wanted at each", wantedPerRequest),
    ]
    var table = Table("", "RECALL@500", "NDCG@10", "HR@10")
    for subject in subjects {
      table.add(subject.subject, cell(subject.recall500), cell(subject.ndcg10), cell(subject.hr10))
    }
    lines.append(table.text)
    lines.append("NDCG@10 above, with an interval of 95 %:")
    var against = Table("", "", "")
    for comparison in comparisons {
      let low = comparison.ndcg10.low
      let verdict = low > 0 ? "ahead" : comparison.ndcg10.high < 0 ? "behind" : "undecided"
      against.add(
        "\(comparison.subject) against \(comparison.baseline)", signed(comparison.ndcg10), verdict)
    }
    lines.append(against.text.split(separator: "\n").dropFirst().joined(separator: "\n"))
    return lines.joined(separator: "\n")
  }

  private func cell(_ interval: Interval) -> String {
    String(format: "%.4f (%.4f to %.4f)", interval.mean, interval.low, interval.high)
  }

  private func signed(_ interval: Interval) -> String {
    String(format: "%+.4f (%+.4f to %+.4f)", interval.mean, interval.low, interval.high)
  }
}
