import Glibc

/// Runs the tasks that handlers start on the one thread that fuzzes, in the order in which they became ready, so that
/// an input does the same thing every time.
enum FuzzTasks {
  /// The runtime's own convention for two pointers, a job and what would run it, is C's.
  private typealias Enqueue = @convention(c) (UnsafeRawPointer, UnsafeRawPointer?) -> Void

  /// Guard for `nonisolated(unsafe)`: there is one thread.
  nonisolated(unsafe) private static var ready: [UnownedJob] = []
  private static let executor = Executor()
  /// Guard for `nonisolated(unsafe)`: there is one thread.
  nonisolated(unsafe) private(set) static var isRunning = false

  private final class Executor: SerialExecutor {
    func enqueue(_ job: UnownedJob) { ready.append(job) }
  }

  /// The concurrency runtime asks this hook, where there is one, before it gives a job to its threads.
  static func take() {
    guard let hook = dlsym(UnsafeMutableRawPointer(bitPattern: 0), "swift_task_enqueueGlobal_hook") else {
      found("this runtime has no hook for jobs")
    }
    hook.assumingMemoryBound(to: Enqueue?.self).pointee = { job, _ in
      FuzzTasks.ready.append(unsafeBitCast(job, to: UnownedJob.self))
    }
  }

  /// Until every task waits for something else or has ended. Returns how many steps that took.
  static func run() -> Int {
    guard !ready.isEmpty else { return 0 }
    isRunning = true
    defer { isRunning = false }
    var index = 0
    while index < ready.count {
      let job = ready[index]
      index += 1
      job.runSynchronously(on: executor.asUnownedSerialExecutor())
      if index > 100_000 { found("tasks that never come to rest") }
    }
    ready.removeAll(keepingCapacity: true)
    return index
  }
}
