internal import Base
internal import NIOCore

/// One timer for many deadlines: it rings at the earliest, and whoever hears it says which is next. Lives on its
/// event loop.
///
/// Most calls end long before their deadline, so a timer a call would be made only to be taken back.
final class Alarm {
  private let eventLoop: any EventLoop
  private let time: any TimeSource
  private var scheduled: Scheduled<Void>?
  private var due = Instant.distantFuture
  /// Gets the time, and answers when to ring next.
  var ring: ((Instant) -> Instant)?

  init(eventLoop: any EventLoop, time: any TimeSource) {
    self.eventLoop = eventLoop
    self.time = time
  }

  /// Rings at `instant` at the latest.
  func set(_ instant: Instant) {
    guard instant < due else { return }
    scheduled?.cancel()
    due = instant
    let nanoseconds = instant.nanoseconds(since: time.instant)
    let alarm = NIOLoopBound(self, eventLoop: eventLoop)
    scheduled = eventLoop.scheduleTask(in: .nanoseconds(Int64(clamping: nanoseconds))) { alarm.value.fire() }
  }

  func stop() {
    scheduled?.cancel()
    scheduled = nil
    ring = nil
    due = .distantFuture
  }

  private func fire() {
    due = .distantFuture
    scheduled = nil
    let now = time.instant
    guard let next = ring?(now), next != .distantFuture else { return }
    // A clock that stands still (in tests) must not make the loop spin.
    set(max(next, now.advanced(byNanoseconds: next > now ? 0 : 1_000_000)))
  }
}
