import Base
import Dispatch
import Synchronization
import Testing

@testable import Serving

/// A worker that waits until it is let go, and notes what it was asked.
private final class GatedWorker: RankWorker, Sendable {
  struct State {
    var seen: [(id: String, effort: Effort)] = []
  }

  let state = Mutex(State())
  private let gate = DispatchSemaphore(value: 0)

  func open() { gate.signal() }
  var seen: [String] { state.withLock { $0.seen.map { "\($0.id) \($0.effort)" } } }

  func answer(_ job: RankJob, effort: Effort) -> Result<RankReply, Fault> {
    state.withLock { $0.seen.append((job.request.requestID, effort)) }
    gate.wait()
    gate.signal()
    return .success(
      RankReply(
        requestID: job.request.requestID, rows: [],
        snapshot: SnapshotName(sequence: 1, digest: "", space: "", model: "", features: "", policy: ""),
        rungs: [], region: "", replica: "", routingEpoch: 0))
  }
}

/// Answers by request, as they come.
private final class Answers: Sendable {
  private let codes = Mutex<[String: Fault.Code?]>([:])

  func completion(_ id: String) -> @Sendable (Result<RankReply, Fault>) -> Void {
    { [self] result in
      codes.withLock { codes in
        precondition(codes[id] == nil, "\(id) was completed twice")
        switch result {
        case .success: codes[id] = .some(nil)
        case .failure(let fault): codes[id] = fault.code
        }
      }
    }
  }

  var count: Int { codes.withLock { $0.count } }
  func code(_ id: String) -> Fault.Code? { codes.withLock { $0[id] ?? nil } }
  func isAnswered(_ id: String) -> Bool { codes.withLock { $0[id] == .some(nil) } }
}

private func until(_ condition: () -> Bool) async {
  while !condition() { try? await Task.sleep(for: .milliseconds(1)) }
}

@Suite struct RankPoolTests {
  private let time = ManualTime(now: TestSnapshot.now)
  private let worker = GatedWorker()
  private let answers = Answers()
  private let counters = RankCounters()

  private func pool(queueCountMax: Int = 100, waitMillisecondsMax: Int = 10) -> RankPool {
    let worker = worker
    return RankPool(
      .init(threadCount: 1, queueCountMax: queueCountMax, waitMillisecondsMax: waitMillisecondsMax),
      time: time, counters: counters, makeWorker: { worker })
  }

  private func submit(
    _ pool: RankPool, _ id: String, source: UInt64 = 0, milliseconds: UInt64 = 100_000,
    _ cancellation: Cancellation = .init()
  ) {
    var request = RankRequest.test()
    request.requestID = id
    pool.submit(
      request, source: source, deadline: time.instant.advanced(byMilliseconds: milliseconds),
      cancellation: cancellation, completion: answers.completion(id))
  }

  /// Keeps the one thread busy with a request that nothing else waits for.
  private func occupy(_ pool: RankPool) async {
    submit(pool, "first")
    await until { worker.seen.count == 1 }
  }

  @Test func `requests are answered in order, each once`() async {
    let pool = pool()
    await occupy(pool)
    for id in ["a", "b", "c"] { submit(pool, id) }
    worker.open()
    await until { answers.count == 4 }
    #expect(worker.seen == ["first full", "a full", "b full", "c full"])
  }

  @Test func `a full queue refuses at once`() async {
    let pool = pool(queueCountMax: 2)
    await occupy(pool)
    for id in ["a", "b", "c"] { submit(pool, id) }
    #expect(answers.code("c") == .resourceExhausted)
    #expect(counters.now.count(of: .refusedQueueFull) == 1)
    worker.open()
    await until { answers.count == 4 }
    #expect(answers.isAnswered("a") && answers.isAnswered("b"))
  }

  @Test func `entries that nobody waits for make room in a full queue`() async {
    let pool = pool(queueCountMax: 2)
    await occupy(pool)
    let cancellation = Cancellation()
    submit(pool, "a", cancellation)
    submit(pool, "b", milliseconds: 50)
    cancellation.cancel()
    time.advance(milliseconds: 60)
    submit(pool, "c")
    #expect(answers.code("a") == .cancelled)
    #expect(answers.code("b") == .deadlineExceeded)
    worker.open()
    await until { answers.isAnswered("c") }
    #expect(!worker.seen.contains { $0.hasPrefix("a") || $0.hasPrefix("b") })
  }

  @Test func `an expired or cancelled request is dropped without work`() async {
    let pool = pool()
    await occupy(pool)
    let cancellation = Cancellation()
    submit(pool, "late", milliseconds: 5)
    submit(pool, "gone", cancellation)
    cancellation.cancel()
    time.advance(milliseconds: 6)
    worker.open()
    await until { answers.count == 3 }
    #expect(answers.code("late") == .deadlineExceeded)
    #expect(answers.code("gone") == .cancelled)
    #expect(worker.seen == ["first full"])
    #expect(counters.now.count(of: .droppedExpired) == 1)
    #expect(counters.now.count(of: .droppedCancelled) == 1)
  }

  @Test func `a request that has waited too long gets popular titles`() async {
    let pool = pool()
    await occupy(pool)
    submit(pool, "a")
    time.advance(milliseconds: 11)
    worker.open()
    await until { answers.isAnswered("a") }
    #expect(worker.seen.last == "a popular")
  }

  @Test func `a request that would wait too long gets popular titles, before the others`() async {
    let pool = pool(waitMillisecondsMax: 1)
    await occupy(pool)
    // Half a millisecond each is what is reckoned at first.
    for number in 0..<6 { submit(pool, "a\(number)") }
    worker.open()
    await until { answers.count == 7 }
    #expect(
      worker.seen == [
        "first full", "a3 popular", "a4 popular", "a5 popular", "a0 full", "a1 full", "a2 full",
      ])
  }

  @Test func `a deadline nearer than the work gets popular titles`() async {
    let pool = pool()
    await occupy(pool)
    var request = RankRequest.test()
    request.requestID = "a"
    pool.submit(
      request, deadline: time.instant.advanced(byNanoseconds: 100_000), completion: answers.completion("a"))
    worker.open()
    await until { answers.isAnswered("a") }
    #expect(worker.seen.last == "a popular")
  }

  @Test func `a busy source leaves a quiet one its turn, and every stage`() async {
    let pool = pool(waitMillisecondsMax: 1)
    await occupy(pool)
    for number in 0..<20 { submit(pool, "busy\(number)", source: 1) }
    submit(pool, "quiet", source: 2)
    worker.open()
    await until { answers.count == 22 }
    let seen = worker.seen
    #expect(seen.contains("quiet full") && seen.contains("busy19 popular"))
    let quiet = seen.firstIndex(of: "quiet full") ?? .max
    #expect(seen[..<quiet].count { $0.hasSuffix("full") } == 2)
  }

  @Test
  func
    `far beyond capacity, requests are refused at once rather than that short answers take the time of whole ones`()
    async
  {
    let pool = pool(queueCountMax: 10_000, waitMillisecondsMax: 1)
    await occupy(pool)
    // A tenth of a millisecond is what a short one is reckoned to take, and 50 ms of them may come at once.
    for number in 0..<600 { submit(pool, "\(number)") }
    #expect(counters.now.count(of: .refusedOverload) == 600 - 3 - 500)
    #expect(answers.code("599") == .resourceExhausted)
    // A tenth of the time is theirs: 2 ms later there is room for two more.
    time.advance(milliseconds: 2)
    for number in 600..<610 { submit(pool, "\(number)") }
    #expect(counters.now.count(of: .refusedOverload) == 97 + 8)
    worker.open()
    await until { answers.count == 611 }
  }

  @Test func `shutting down answers what was accepted and refuses the rest`() async {
    let pool = pool()
    await occupy(pool)
    for id in ["a", "b"] { submit(pool, id) }
    worker.open()
    pool.shutdown()
    #expect(answers.isAnswered("a") && answers.isAnswered("b"))
    submit(pool, "c")
    #expect(answers.code("c") == .unavailable)
    pool.shutdown()
  }
}
