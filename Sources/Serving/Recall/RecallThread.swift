internal import Base
internal import Dispatch

#if canImport(Glibc)
  internal import Glibc
#else
  internal import Darwin
#endif

/// Owns the thread that measures recall: it runs when nothing else wants to, and measures one sample in an interval at most.
final class RecallThread: Sendable {
  private let ending = DispatchSemaphore(value: 0)
  private let thread: JoinedThread

  init(_ monitor: RecallMonitor, intervalMilliseconds: Int, time: any TimeSource) {
    thread = JoinedThread { [ending] in
      Self.takeLowestPriority()
      let meter = RecallMeter(monitor, time: time)
      while ending.wait(timeout: .now() + .milliseconds(intervalMilliseconds)) == .timedOut {
        meter.measureNext()
      }
    }
  }

  /// Ends the thread and waits for it: as long as an exact search takes.
  func shutdown() {
    ending.signal()
    thread.join()
  }

  deinit { shutdown() }

  private static func takeLowestPriority() {
    #if canImport(Glibc)
      // SCHED_IDLE, a macro that does not import. Where it is forbidden the nice value is still ours to raise; both are of
      // the calling thread alone.
      var parameters = sched_param()
      if sched_setscheduler(0, 5, &parameters) != 0 { _ = nice(19) }
    #else
      pthread_set_qos_class_self_np(QOS_CLASS_BACKGROUND, 0)
    #endif
  }
}
