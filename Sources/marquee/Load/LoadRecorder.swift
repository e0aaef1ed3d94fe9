import Base
import Foundation
import Histogram
import Synchronization

/// What a load run keeps of one answered call.
struct LoadOutcome: Sendable {
  var region: String
  var replica: String
  var sequence: UInt64
  var titleIDs: [String]
  var rungs: [String]
  var stages: [(stage: String, microseconds: Int)]
}

/// Collects the outcomes of calls from many tasks; the mutex guards all of it.
///
/// Latency is counted from the moment at which the schedule wanted the call to start, so that a stalled server can't
/// hide behind calls that were never sent.
final class LoadRecorder: Sendable {
  private struct State {
    var all = Histogram<UInt64>(numberOfSignificantValueDigits: .three)
    var failed = Histogram<UInt64>(numberOfSignificantValueDigits: .two)
    var seconds: [Second] = []
    var failures: [String: Int] = [:]
    var firstFailure = ""
    var regions: [String: LoadReport.Region] = [:]
    var sequences: [String: UInt64] = [:]
    var rungs: [String: UInt64] = [:]
    var stageTotals: [String: UInt64] = [:]
    var mixedCount: UInt64 = 0
    var emptyCount: UInt64 = 0
  }

  private struct Second {
    var histogram = Histogram<UInt32>(numberOfSignificantValueDigits: .two)
    var failed: UInt64 = 0
    var shortened: UInt64 = 0
    var sequences: [UInt64: UInt64] = [:]
  }

  private let state = Mutex(State())
  private let start: Instant
  private let prefixes: [UInt64: String]

  /// `prefixes`: every title id in a sequence's replies must begin so. 0 stands for sequences without an entry.
  init(start: Instant, prefixes: [UInt64: String]) {
    self.start = start
    self.prefixes = prefixes
  }

  func succeed(_ outcome: LoadOutcome, scheduled: Instant, ended: Instant, wallClock: Timestamp) {
    let microseconds = max(1, ended.nanoseconds(since: scheduled) / 1000)
    let second = Int(ended.nanoseconds(since: start) / 1_000_000_000)
    let isMixed = (prefixes[outcome.sequence] ?? prefixes[0]).map { prefix in
      !outcome.titleIDs.allSatisfy { $0.hasPrefix(prefix) }
    }
    state.withLock { state in
      _ = state.all.record(microseconds)
      while state.seconds.count <= second { state.seconds.append(Second()) }
      _ = state.seconds[second].histogram.record(microseconds)
      state.seconds[second].sequences[outcome.sequence, default: 0] += 1
      state.regions[outcome.region, default: .init()].add(at: wallClock)
      state.sequences["\(outcome.sequence)", default: 0] += 1
      if outcome.rungs.contains(where: LoadReport.loadRungs.contains) { state.seconds[second].shortened += 1 }
      for rung in outcome.rungs { state.rungs[rung, default: 0] += 1 }
      for stage in outcome.stages { state.stageTotals[stage.stage, default: 0] += UInt64(stage.microseconds) }
      if isMixed == true || (isMixed == nil && !prefixes.isEmpty) { state.mixedCount += 1 }
      if outcome.titleIDs.isEmpty { state.emptyCount += 1 }
    }
  }

  func fail(_ error: any Error, scheduled: Instant, ended: Instant) {
    let name = (error as? Fault).map { "\($0.code)" } ?? "\(type(of: error))"
    let second = Int(ended.nanoseconds(since: start) / 1_000_000_000)
    state.withLock { state in
      while state.seconds.count <= second { state.seconds.append(Second()) }
      state.seconds[second].failed += 1
      _ = state.failed.record(max(1, ended.nanoseconds(since: scheduled) / 1000))
      state.failures[name, default: 0] += 1
      if state.firstFailure.isEmpty { state.firstFailure = "\(error)" }
    }
  }

  func report(elapsedNanoseconds: UInt64, offeredPerSecond: Double) -> LoadReport {
    state.withLock { state in
      let calls = state.all.totalCount
      let elapsed = Double(elapsedNanoseconds) / 1e9
      return LoadReport(
        calls: calls, failed: UInt64(state.failures.values.reduce(0, +)), failures: state.failures,
        firstFailure: state.firstFailure, seconds: elapsed, offeredPerSecond: offeredPerSecond,
        perSecond: Double(calls) / max(elapsed, 1e-9), meanMs: state.all.mean / 1000,
        p50Ms: Double(state.all.valueAtPercentile(50)) / 1000,
        p99Ms: Double(state.all.valueAtPercentile(99)) / 1000,
        p999Ms: Double(state.all.valueAtPercentile(99.9)) / 1000,
        maxMs: calls == 0 ? 0 : Double(state.all.max) / 1000,
        failedP50Ms: Double(state.failed.valueAtPercentile(50)) / 1000,
        failedP99Ms: Double(state.failed.valueAtPercentile(99)) / 1000,
        timeline: state.seconds.map {
          .init(
            calls: UInt64($0.histogram.totalCount), failed: $0.failed, shortened: $0.shortened,
            p50Ms: Double($0.histogram.valueAtPercentile(50)) / 1000,
            p99Ms: Double($0.histogram.valueAtPercentile(99)) / 1000,
            sequences: Dictionary(uniqueKeysWithValues: $0.sequences.map { ("\($0.key)", $0.value) }))
        },
        regions: state.regions, sequences: state.sequences, rungs: state.rungs, mixed: state.mixedCount,
        empty: state.emptyCount,
        stageMicroseconds: Dictionary(
          uniqueKeysWithValues: state.stageTotals.map { ($0.key, Double($0.value) / Double(max(calls, 1))) }))
    }
  }
}

/// What `marquee load` prints.
struct LoadReport: Encodable {
  /// The rungs that load makes a replica take.
  static let loadRungs: Set<String> = [
    "featuresLate", "retrievalPartial", "popularOnly", "retrievalOrder", "queueFull",
  ]

  struct Region: Encodable {
    var calls: UInt64 = 0
    /// Wall-clock milliseconds of the first and the last answer from there.
    var firstMs: Int64 = 0
    var lastMs: Int64 = 0

    mutating func add(at moment: Timestamp) {
      if calls == 0 { firstMs = moment.milliseconds }
      calls += 1
      lastMs = max(lastMs, moment.milliseconds)
    }
  }

  struct Second: Encodable {
    var calls: UInt64
    var failed: UInt64
    /// Of `calls`, those with a rung of ``LoadReport/loadRungs``.
    var shortened: UInt64
    var p50Ms: Double
    var p99Ms: Double
    /// Answers by snapshot: a second with two of them saw a cutover.
    var sequences: [String: UInt64]
  }

  var calls: UInt64
  var failed: UInt64
  var failures: [String: Int]
  var firstFailure: String
  var seconds: Double
  var offeredPerSecond: Double
  var perSecond: Double
  var meanMs: Double
  var p50Ms: Double
  var p99Ms: Double
  var p999Ms: Double
  var maxMs: Double
  /// How long callers waited for a failure.
  var failedP50Ms: Double
  var failedP99Ms: Double
  var timeline: [Second]
  var regions: [String: Region]
  var sequences: [String: UInt64]
  var rungs: [String: UInt64]
  /// Replies with a title of another snapshot than the one that they name (with `--prefix`).
  var mixed: UInt64
  var empty: UInt64
  /// Mean by stage; needs `--debug`.
  var stageMicroseconds: [String: Double]

  var text: String {
    var lines = [
      "\(readable(count: calls)) calls in \(String(format: "%.1f", seconds)) s, "
        + "\(String(format: "%.0f", perSecond)) a second, \(failed) failed",
      String(
        format: "latency ms: mean %.2f, p50 %.2f, p99 %.2f, p99.9 %.2f, max %.2f", meanMs, p50Ms, p99Ms,
        p999Ms, maxMs),
    ]
    if !failures.isEmpty {
      lines.append(
        String(format: "failures, after ms: p50 %.2f, p99 %.2f: ", failedP50Ms, failedP99Ms)
          + "\(failures), first: \(firstFailure)")
    }
    for (region, served) in regions.sorted(by: { $0.key < $1.key }) {
      lines.append("region \(region): \(readable(count: served.calls)) calls")
    }
    for (sequence, count) in sequences.sorted(by: { $0.key < $1.key }) {
      lines.append("snapshot \(sequence): \(readable(count: count)) calls")
    }
    if !rungs.isEmpty {
      lines.append(
        "rungs: \(rungs.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }.joined(separator: ", "))")
    }
    if !stageMicroseconds.isEmpty {
      lines.append(
        "stages, mean µs: "
          + stageMicroseconds.sorted { $0.key < $1.key }.map { String(format: "%@ %.0f", $0.key, $0.value) }
          .joined(separator: ", "))
    }
    if mixed > 0 { lines.append("MIXED REPLIES: \(mixed)") }
    return lines.joined(separator: "\n")
  }
}
