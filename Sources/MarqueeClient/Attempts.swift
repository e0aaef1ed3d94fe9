internal import Base
internal import Wire

/// One logical call: its tries, one after another or as rivals, until one answers or the time is up.
///
/// A try that fails moves on to the next replica at once. A try that hangs is given a rival after its share of the
/// time, and both go on: the first answer counts, the other is cancelled. So a replica that is only slow still
/// answers, and one that is stopped costs its share and no more.
struct Attempts<Reply: Sendable>: Sendable {
  let fleet: Fleet
  let watch: RoutingWatch
  let profile: UInt64
  let timeout: Duration
  let perform: @Sendable (ClientConnection, Instant) async throws(CallFailure) -> Reply

  struct Answer: Sendable {
    var reply: Reply
    var source: Fleet.Choice
    var tryCount: Int
  }

  private enum Outcome: Sendable {
    case ended(Fleet.Choice, Result<Reply, CallFailure>)
    case overdue(Fleet.Choice, tryNumber: Int)
    case rested
  }

  private struct Progress {
    let deadline: Instant
    var tryCount = 0
    var tried: Set<String> = []
    /// Open tries by their number.
    var open: Set<Int> = []
    var numbers: [String: Int] = [:]
    var isPausing = false
    var pauseCount = 0
    var last: Fault?
  }

  func run() async -> Result<Answer, MarqueeError> {
    let deadline = fleet.time.instant.advanced(byNanoseconds: timeout.nanoseconds)
    if let error = await fleet.waitForRouting(until: deadline) { return .failure(error) }
    return await withTaskGroup(of: Outcome.self) { group in
      defer { group.cancelAll() }
      var progress = Progress(deadline: deadline)
      moveOn(&progress, &group)
      while let outcome = await group.next() {
        if let answer = take(outcome, &progress, &group) { return answer }
        if progress.open.isEmpty, !progress.isPausing { break }
      }
      return .failure(error(progress.last))
    }
  }

  /// What an outcome means for the call; an answer ends it.
  private func take(
    _ outcome: Outcome, _ progress: inout Progress, _ group: inout TaskGroup<Outcome>
  ) -> Result<Answer, MarqueeError>? {
    switch outcome {
    case .ended(let source, .success(let reply)):
      fleet.succeeded(source.address)
      return .success(Answer(reply: reply, source: source, tryCount: progress.tryCount))
    case .ended(let source, .failure(let failure)):
      if let number = progress.numbers[source.address] { progress.open.remove(number) }
      progress.last = failure.fault
      guard !Task.isCancelled else { return .failure(MarqueeError(.cancelled, "the call was cancelled")) }
      switch judge(failure, of: source, progress) {
      case .final: return .failure(error(failure.fault))
      case .elsewhere(let isFree, let isIll):
        if isIll {
          rest(source, costs: !isFree)
        } else if !isFree {
          fleet.spent()
        }
        if isFree || fleet.allowsRetry { moveOn(&progress, &group) }
      }
    case .overdue(let source, let number):
      guard progress.open.contains(number) else { break }
      rest(source, costs: true)
      if fleet.allowsRetry { moveOn(&progress, &group) }
    case .rested:
      progress.isPausing = false
      progress.tried = []
      moveOn(&progress, &group)
    }
    return nil
  }

  private enum Verdict {
    /// Trying again would get the same, or too late.
    case final
    /// `isFree`: no handler saw the try. `isIll`: it speaks against the replica.
    case elsewhere(isFree: Bool, isIll: Bool)
  }

  private func judge(_ failure: CallFailure, of source: Fleet.Choice, _ progress: Progress) -> Verdict {
    guard fleet.time.instant < progress.deadline else { return .final }
    if let redirect = RoutingView.Redirect(failure.fault) {
      // Whether it was news or the replica is behind: it is well, and not the one to ask.
      if fleet.learn(redirect) { watch.refresh(from: source) }
      return .elsewhere(isFree: true, isIll: false)
    }
    if failure.isSafeToRetry { return .elsewhere(isFree: true, isIll: true) }
    switch failure.code {
    case .unavailable: return .elsewhere(isFree: false, isIll: true)
    // Its queue is full; that of another may not be. A server's reset with CANCEL is likewise no answer.
    case .resourceExhausted, .cancelled: return .elsewhere(isFree: false, isIll: false)
    default: return .final
    }
  }

  /// Starts the next try; when every replica was tried, a pause comes first.
  private func moveOn(_ progress: inout Progress, _ group: inout TaskGroup<Outcome>) {
    guard progress.tryCount < fleet.configuration.tryCountMax, !progress.isPausing else { return }
    guard let source = fleet.choose(profile: profile, tried: progress.tried) else {
      // With a try still open, its answer is waited for.
      guard progress.open.isEmpty else { return }
      progress.isPausing = true
      let pause = Duration.milliseconds(10) * (1 << progress.pauseCount)
      progress.pauseCount += 1
      group.addTask {
        try? await Task.sleep(for: pause * Double.random(in: 0.8...1.2))
        return .rested
      }
      return
    }
    let number = progress.tryCount
    let deadline = progress.deadline
    progress.tryCount += 1
    progress.tried.insert(source.address)
    progress.open.insert(number)
    progress.numbers[source.address] = number
    let perform = perform
    group.addTask {
      do throws(CallFailure) {
        return .ended(source, .success(try await perform(source.connection, deadline)))
      } catch {
        return .ended(source, .failure(error))
      }
    }
    let patience = timeout * fleet.configuration.tryShare
    group.addTask {
      try? await Task.sleep(for: patience)
      return .overdue(source, tryNumber: number)
    }
  }

  private func rest(_ source: Fleet.Choice, costs: Bool) {
    if let pause = fleet.failed(source.address, costs: costs) { watch.probe(source, after: pause) }
  }

  private func error(_ fault: Fault?) -> MarqueeError {
    guard let fault else {
      return MarqueeError(.unavailable, "the routing names no replica that can be called")
    }
    var error = MarqueeError(fault)
    if error.code == .unavailable || error.code == .resourceExhausted, !fleet.allowsRetry {
      error = MarqueeError(error.code, "\(error.message) (not tried again: the retry budget is used up)")
    }
    return error
  }
}

extension Duration {
  /// Zero for what is negative.
  var nanoseconds: UInt64 {
    let (seconds, attoseconds) = components
    guard seconds >= 0, attoseconds >= 0 else { return 0 }
    let (product, overflow) = UInt64(seconds).multipliedReportingOverflow(by: 1_000_000_000)
    return overflow ? .max : product &+ UInt64(attoseconds / 1_000_000_000)
  }
}
