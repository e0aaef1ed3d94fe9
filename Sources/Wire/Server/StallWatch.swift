internal import Base

/// Whether what ought to move does: at least a step in each interval, so that neither silence nor a byte now and then
/// holds our memory.
struct StallWatch {
  private let interval: UInt64
  private let step: Int
  private var mark = 0
  private var due = Instant.distantFuture

  /// `since`: when something began to be owed, if that is already so.
  init(_ milliseconds: UInt64, step: Int = 1 << 10, since: Instant? = nil) {
    interval = milliseconds
    self.step = step
    if let since { due = since.advanced(byMilliseconds: milliseconds) }
  }

  /// `total` is what has moved so far. When to look again; `nil`: it has stalled.
  mutating func look(_ now: Instant, isOwed: Bool, total: Int) -> Instant? {
    guard isOwed else {
      due = .distantFuture
      return due
    }
    if due == .distantFuture || total >= mark + step {
      mark = total
      due = now.advanced(byMilliseconds: interval)
    }
    return now < due ? due : nil
  }
}
