internal import Base

#if canImport(Glibc)
  internal import Glibc
#else
  internal import Darwin
#endif

/// The bounded queue between those who submit and the pool's threads, in two lanes: requests that get every stage,
/// in which sources take turns, and those that would wait too long and get popular titles. The second lane goes
/// first, since its work is a hundredth of the other's and its waiting was the reason to be in it; how much of it
/// there may be is limited.
///
/// Guard for `@unchecked Sendable`: `mutex` is held whenever a variable is touched.
final class JobQueue: @unchecked Sendable {
  private let mutex: UnsafeMutablePointer<pthread_mutex_t>
  private let arrived: UnsafeMutablePointer<pthread_cond_t>
  private let countMax: Int
  private let threadCount: Int
  private let waitNanosecondsMax: UInt64
  private var full = FairLane()
  private var popular = FairLane()
  private var budget: ShortAnswerBudget
  private var isClosed = false
  /// A moving mean of what a request with every stage takes; half a millisecond until it is known.
  private var meanNanoseconds: UInt64 = 500_000

  init(countMax: Int, threadCount: Int, waitNanosecondsMax: UInt64) {
    self.countMax = countMax
    self.threadCount = threadCount
    self.waitNanosecondsMax = waitNanosecondsMax
    budget = ShortAnswerBudget(threadCount: threadCount)
    mutex = .allocate(capacity: 1)
    arrived = .allocate(capacity: 1)
    precondition(pthread_mutex_init(mutex, nil) == 0 && pthread_cond_init(arrived, nil) == 0)
  }

  deinit {
    pthread_cond_destroy(arrived)
    pthread_mutex_destroy(mutex)
    arrived.deallocate()
    mutex.deallocate()
  }

  enum Admission {
    case queued
    case full
    /// It would wait too long for every stage, and there are too many shortened answers already.
    case overloaded
    case closed
  }

  /// What one request took.
  struct Took {
    var effort: Effort
    var nanoseconds: UInt64
  }

  /// Never waits. `dropped` are entries that nobody waits for any more, found while looking for room: the caller
  /// completes them.
  func add(_ job: RankJob, now: Instant) -> (admission: Admission, dropped: [RankJob]) {
    pthread_mutex_lock(mutex)
    defer { pthread_mutex_unlock(mutex) }
    guard !isClosed else { return (.closed, []) }
    var dropped: [RankJob] = []
    if full.count + popular.count >= countMax {
      dropped = full.removeAll { $0.isMoot(now) } + popular.removeAll { $0.isMoot(now) }
    }
    guard full.count + popular.count < countMax else { return (.full, dropped) }
    let wait = UInt64(full.countBefore(source: job.source) / threadCount) &* meanNanoseconds
    if wait > waitNanosecondsMax || now.advanced(byNanoseconds: wait &+ meanNanoseconds) > job.deadline {
      guard budget.take(now) else { return (.overloaded, dropped) }
      popular.append(job)
    } else {
      full.append(job)
    }
    pthread_cond_signal(arrived)
    return (.queued, dropped)
  }

  /// Waits for the next request; `nil` once the queue is closed and empty. `took` is what the last one took.
  func next(_ took: Took?) -> (job: RankJob, effort: Effort)? {
    pthread_mutex_lock(mutex)
    defer { pthread_mutex_unlock(mutex) }
    if let took { learn(took) }
    while true {
      if let job = popular.removeFirst() { return (job, .popular) }
      if let job = full.removeFirst() { return (job, .full) }
      if isClosed { return nil }
      pthread_cond_wait(arrived, mutex)
    }
  }

  private func learn(_ took: Took) {
    switch took.effort {
    case .full: meanNanoseconds = (meanNanoseconds &* 7 &+ min(took.nanoseconds, 1 << 40)) / 8
    case .popular: budget.learn(took.nanoseconds)
    }
  }

  /// Whether a request that comes off the queue now can still have every stage. If not, it counts as shortened.
  func hasTime(_ job: RankJob, now: Instant) -> Bool {
    pthread_mutex_lock(mutex)
    defer { pthread_mutex_unlock(mutex) }
    let hasTime =
      now.nanoseconds(since: job.submitted) <= waitNanosecondsMax
      && now.advanced(byNanoseconds: meanNanoseconds) <= job.deadline
    if !hasTime { budget.overdraw(now) }
    return hasTime
  }

  func close() {
    pthread_mutex_lock(mutex)
    isClosed = true
    pthread_cond_broadcast(arrived)
    pthread_mutex_unlock(mutex)
  }

  var count: Int {
    pthread_mutex_lock(mutex)
    defer { pthread_mutex_unlock(mutex) }
    return full.count + popular.count
  }
}

extension RankJob {
  /// Nobody waits for the answer any more.
  func isMoot(_ now: Instant) -> Bool { cancellation.isCancelled || now >= deadline }
}
