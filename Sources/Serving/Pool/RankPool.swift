package import Base

/// Owns the ranking threads and the queue before them. Nothing that reads or writes sockets ever ranks, and nothing
/// that ranks ever waits for a socket.
///
/// A request is answered; takes the rung `queueFull` when it has waited too long or would; or is refused at once when
/// there are so many of those that they would take the time of whole answers, or when the queue is full. One that
/// nobody waits for any more is dropped without work. Sources take turns, so a busy one makes only itself wait.
package final class RankPool: Sendable {
  package struct Settings: Sendable {
    /// One a core is the rule.
    package var threadCount: Int
    /// 1,024 requests of half a millisecond on one core are half a second: far beyond what any deadline allows, so
    /// a full queue means that the machine is lost, not that it is busy.
    package var queueCountMax: Int
    /// A request that waits longer gets popular titles.
    package var waitMillisecondsMax: Int

    package init(threadCount: Int, queueCountMax: Int = 1024, waitMillisecondsMax: Int = 10) {
      self.threadCount = threadCount
      self.queueCountMax = queueCountMax
      self.waitMillisecondsMax = waitMillisecondsMax
    }
  }

  private let queue: JobQueue
  private let time: any TimeSource
  private let counters: RankCounters
  private let threads: [JoinedThread]

  /// Starts the threads. `makeWorker` runs once on each.
  package init(
    _ settings: Settings, time: any TimeSource, counters: RankCounters,
    makeWorker: @escaping @Sendable () -> any RankWorker
  ) {
    precondition(
      settings.threadCount > 0 && settings.queueCountMax > 0 && settings.waitMillisecondsMax >= 0)
    let queue = JobQueue(
      countMax: settings.queueCountMax, threadCount: settings.threadCount,
      waitNanosecondsMax: UInt64(settings.waitMillisecondsMax) * 1_000_000)
    self.queue = queue
    self.time = time
    self.counters = counters
    threads = (0..<settings.threadCount).map { _ in
      JoinedThread {
        RankPool.work(queue: queue, time: time, counters: counters, worker: makeWorker())
      }
    }
  }

  deinit { shutdown() }

  /// Requests that wait.
  package var waitingCount: Int { queue.count }

  /// Returns at once. `completion` is called exactly once: on a thread of the pool, or here when the request is
  /// refused (`resourceExhausted` when there is too much to do, `unavailable` after ``shutdown()``).
  package func submit(
    _ request: RankRequest, source: UInt64 = 0, deadline: Instant,
    cancellation: Cancellation = Cancellation(),
    completion: @escaping @Sendable (Result<RankReply, Fault>) -> Void
  ) {
    let now = time.instant
    let job = RankJob(
      request: request, source: source, submitted: now, deadline: deadline, cancellation: cancellation,
      completion: completion)
    let (admission, dropped) = queue.add(job, now: now)
    for moot in dropped { Self.drop(moot, counters: counters) }
    switch admission {
    case .queued: break
    case .full:
      counters.add(.refusedQueueFull)
      completion(.failure(Fault(.resourceExhausted, "the ranking queue is full; try another replica")))
    case .overloaded:
      counters.add(.refusedOverload)
      completion(
        .failure(Fault(.resourceExhausted, "more requests than this replica can answer; try another one")))
    case .closed:
      completion(.failure(Fault(.unavailable, "the replica is stopping; try another one")))
    }
  }

  /// Answers what was accepted, then ends the threads and waits for them. Once is enough.
  package func shutdown() {
    queue.close()
    // A completion may have held the last reference, and so be where the pool ends.
    for thread in threads { thread.join() }
  }

  private static func work(
    queue: JobQueue, time: any TimeSource, counters: RankCounters, worker: any RankWorker
  ) {
    var took: JobQueue.Took?
    while let (job, lane) = queue.next(took) {
      took = nil
      let start = time.instant
      if job.isMoot(start) {
        drop(job, counters: counters)
        continue
      }
      let effort: Effort = lane == .full && queue.hasTime(job, now: start) ? .full : .popular
      let outcome = worker.answer(job, effort: effort)
      took = JobQueue.Took(effort: effort, nanoseconds: time.instant.nanoseconds(since: start))
      job.completion(outcome)
    }
  }

  private static func drop(_ job: RankJob, counters: RankCounters) {
    if job.cancellation.isCancelled {
      counters.add(.droppedCancelled)
      job.completion(.failure(Fault(.cancelled, "cancelled while waiting")))
    } else {
      counters.add(.droppedExpired)
      job.completion(.failure(Fault(.deadlineExceeded, "the deadline passed while waiting")))
    }
  }
}
