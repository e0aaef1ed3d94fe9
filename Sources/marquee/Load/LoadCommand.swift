import ArgumentParser
import Base
import Foundation
import MarqueeClient
import Synchronization
import Wire

/// `marquee load`: calls at a steady rate, and what came of them.
struct LoadCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "load", abstract: "Call Rank at a steady rate and measure.",
    discussion: """
      The schedule doesn't wait for answers (an open loop), and latency counts from the moment that the schedule wanted: \
      a server that stalls can't hide. With --concurrency instead of --rate it is a closed loop.
      """)

  @Option(help: "Calls a second.") var rate: Double?
  @Option(help: "Calls in flight, each after the last: a closed loop.") var concurrency: Int?
  @Option(help: "Seconds to run.") var seconds: Double = 10
  @Option(
    help: "Run until this file is there (or --seconds has passed, if that is longer than 10).",
    completion: .file())
  var until: String?
  @Option(help: "Profiles, one id a line.", completion: .file()) var profiles: String
  @Option(help: "Countries to ask for, in turn.") var country: [String] = ["US"]
  @Option(help: "Connections, spread over the replicas. Not with --follow.") var connections = 2
  @Option(
    help:
      "SEQUENCE=PREFIX: every title in that snapshot's replies must begin so, others count as mixed. * is the other snapshots."
  )
  var prefix: [String] = []
  @Flag(help: "Ask for each stage's time.") var debug = false
  @Option(help: "Calls in flight at most; beyond it the schedule's calls fail.") var inFlightMax = 4096
  @OptionGroup var call: CallOptions
  @OptionGroup var output: OutputOptions

  func validate() throws {
    guard (rate == nil) != (concurrency == nil) else { throw ValidationError("say --rate or --concurrency") }
    guard rate ?? 1 > 0, concurrency ?? 1 > 0 else {
      throw ValidationError("--rate and --concurrency are above 0")
    }
    guard seconds > 0, seconds <= 1e9, rate ?? 1 <= 1e9 else {
      throw ValidationError("--seconds is above 0; neither it nor --rate is beyond 1e9")
    }
    guard inFlightMax > 0 else { throw ValidationError("--in-flight-max is at least 1") }
    guard connections > 0 else { throw ValidationError("--connections is at least 1") }
  }

  func run() async throws {
    let names = try lines(of: profiles)
    guard !names.isEmpty else { throw Fault(.invalidArgument, "\(profiles) names no profile") }
    let target: any LoadTarget = call.follow ? try FollowingTarget(call) : try DirectTarget(call, connections)
    await (target as? DirectTarget)?.connect()
    let time = SystemTime()
    let start = time.instant
    let recorder = LoadRecorder(start: start, prefixes: try prefixes())
    let run = LoadRun(
      target: target, recorder: recorder, profiles: names, countries: country, debug: debug,
      timeoutMilliseconds: UInt64(call.timeout))
    let end = start.advanced(byNanoseconds: UInt64((until == nil ? seconds : max(seconds, 3600)) * 1e9))
    let isOver: @Sendable () -> Bool = { [until] in
      time.instant >= end || until.map { access($0, F_OK) == 0 } ?? false
    }
    if let rate {
      await run.open(rate: rate, inFlightMax: inFlightMax, isOver: isOver)
    } else {
      await run.closed(concurrency: concurrency ?? 1, isOver: isOver)
    }
    let report = recorder.report(
      elapsedNanoseconds: time.instant.nanoseconds(since: start), offeredPerSecond: rate ?? 0)
    await target.close()
    try output.show(report) { report.text }
    if report.calls == 0 { throw ExitCode(1) }
  }

  private func prefixes() throws -> [UInt64: String] {
    var table: [UInt64: String] = [:]
    for text in prefix {
      let parts = text.split(separator: "=", maxSplits: 1)
      guard parts.count == 2, let sequence = parts[0] == "*" ? 0 : UInt64(parts[0]) else {
        throw Fault(.invalidArgument, "--prefix \(text) is not SEQUENCE=PREFIX")
      }
      table[sequence] = String(parts[1])
    }
    return table
  }
}

/// Sends the calls of one load and records what comes back.
private struct LoadRun: Sendable {
  let target: any LoadTarget
  let recorder: LoadRecorder
  let profiles: [String]
  let countries: [String]
  let debug: Bool
  let timeoutMilliseconds: UInt64

  /// Sends at `rate`, whatever comes back. Ends when the last call has ended.
  func open(rate: Double, inFlightMax: Int, isOver: @Sendable () -> Bool) async {
    let time = SystemTime()
    let start = time.instant
    let inFlight = Counter()
    var number = 0
    await withDiscardingTaskGroup { group in
      while !isOver() {
        // Call n is due at n / rate: the first one at once.
        let due = Int(Double(time.instant.nanoseconds(since: start)) / 1e9 * rate) + 1
        while number < due {
          let scheduled = start.advanced(byNanoseconds: UInt64(Double(number) / rate * 1e9))
          let request = request(number)
          number += 1
          guard inFlight.now < inFlightMax else {
            recorder.fail(
              Fault(.resourceExhausted, "too many calls in flight"), scheduled: scheduled, ended: time.instant
            )
            continue
          }
          inFlight.add(1)
          send(request, scheduled: scheduled, in: &group) { inFlight.add(-1) }
        }
        await pause(until: start.advanced(byNanoseconds: UInt64(Double(number) / rate * 1e9)))
      }
      while inFlight.now > 0 { try? await Task.sleep(for: .milliseconds(1)) }
    }
  }

  /// A hundred milliseconds at most, so that the end is not missed.
  ///
  /// Direct calls need no task, so this thread may sleep to the microsecond: a task's sleep is late by a millisecond
  /// or more, which would count as the server's latency.
  private func pause(until due: Instant) async {
    guard target is DirectTarget else {
      try? await Task.sleep(for: .milliseconds(1))
      return
    }
    let now = SystemTime().instant
    guard now < due else { return }
    usleep(UInt32(min(due.nanoseconds(since: now) / 1000, 100_000)))
  }

  /// `concurrency` calls in flight, each followed by the next.
  func closed(concurrency: Int, isOver: @escaping @Sendable () -> Bool) async {
    let next = Counter()
    await withDiscardingTaskGroup { group in
      for _ in 0..<concurrency {
        group.addTask {
          while !isOver() {
            let request = self.request(next.add(1))
            let scheduled = SystemTime().instant
            await self.call(request, scheduled: scheduled)
          }
        }
      }
    }
  }

  private func request(_ number: Int) -> RankRequest {
    RankRequest(
      requestID: "load-\(number)", profileID: profiles[number % profiles.count],
      country: countries[number % countries.count],
      debug: debug)
  }

  private func send(
    _ request: RankRequest, scheduled: Instant, in group: inout DiscardingTaskGroup,
    ended: @escaping @Sendable () -> Void
  ) {
    if let direct = target as? DirectTarget {
      direct.rank(request, timeoutMilliseconds: timeoutMilliseconds) { result in
        self.record(result.mapError { $0 as any Error }, scheduled: scheduled)
        ended()
      }
      return
    }
    group.addTask {
      await self.call(request, scheduled: scheduled)
      ended()
    }
  }

  private func call(_ request: RankRequest, scheduled: Instant) async {
    do {
      record(
        .success(try await target.rank(request, timeoutMilliseconds: timeoutMilliseconds)),
        scheduled: scheduled)
    } catch {
      record(.failure(error), scheduled: scheduled)
    }
  }

  private func record(_ result: Result<LoadOutcome, any Error>, scheduled: Instant) {
    let time = SystemTime()
    switch result {
    case .success(let outcome):
      recorder.succeed(outcome, scheduled: scheduled, ended: time.instant, wallClock: time.now)
    case .failure(let error): recorder.fail(error, scheduled: scheduled, ended: time.instant)
    }
  }
}

/// A number that several tasks change.
private final class Counter: Sendable {
  private let value = Atomic<Int>(0)

  var now: Int { value.load(ordering: .relaxed) }

  /// Returns the number before.
  @discardableResult
  func add(_ difference: Int) -> Int { value.add(difference, ordering: .relaxed).oldValue }
}
