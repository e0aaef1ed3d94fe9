import Dispatch
import NIOCore

/// An event loop whose time is moved by hand; lives on the one thread that fuzzes, which is the guard for
/// `@unchecked Sendable`.
///
/// NIO's own one for tests makes a promise, a timer and half a dozen boxes for each task: there, most of an input's time.
final class FuzzLoop: EventLoop, @unchecked Sendable {
  private struct Timer {
    let number: Int
    let due: NIODeadline
    let ring: () -> Void
  }

  private var ready: [() -> Void] = []
  /// There are few of them, so they are in no order.
  private var timers: [Timer] = []
  private var lastNumber = 0
  private(set) var now = NIODeadline.uptimeNanoseconds(0)

  /// A task of a handler is on another thread, as far as connections can see.
  var inEventLoop: Bool { !FuzzTasks.isRunning }
  var timerCount: Int { timers.count }

  func execute(_ task: @escaping @Sendable () -> Void) { ready.append(task) }

  func scheduleTask<T>(
    deadline: NIODeadline, _ task: @escaping @Sendable () throws -> T
  ) -> Scheduled<T> {
    let promise = makePromise(of: T.self)
    lastNumber += 1
    let number = lastNumber
    timers.append(
      Timer(number: number, due: deadline) {
        do { promise.assumeIsolated().succeed(try task()) } catch { promise.fail(error) }
      })
    return Scheduled(promise: promise) { self.timers.removeAll { $0.number == number } }
  }

  func scheduleTask<T>(in delay: TimeAmount, _ task: @escaping @Sendable () throws -> T) -> Scheduled<T> {
    scheduleTask(deadline: now + delay, task)
  }

  /// What is ready now, and what that makes ready.
  func run() {
    var index = 0
    while index < ready.count {
      ready[index]()
      index += 1
      if index > 100_000 { found("an event loop that never comes to rest") }
    }
    ready.removeAll(keepingCapacity: true)
  }

  /// Moves time, and rings on the way what is due.
  func advance(milliseconds: Int64) {
    let end = now + .milliseconds(milliseconds)
    run()
    while let next = timers.indices.min(by: { isEarlier(timers[$0], timers[$1]) }), timers[next].due <= end {
      let timer = timers.remove(at: next)
      now = max(now, timer.due)
      timer.ring()
      run()
    }
    now = end
  }

  private func isEarlier(_ left: Timer, _ right: Timer) -> Bool {
    (left.due, left.number) < (right.due, right.number)
  }

  func shutdownGracefully(queue: DispatchQueue, _ callback: @escaping @Sendable ((any Error)?) -> Void) {
    callback(nil)
  }
}
