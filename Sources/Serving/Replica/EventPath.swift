package import Base
package import Features

/// The way of an event: checked, made durable, seen by the next Rank; in this order, and acknowledged after all three.
package struct EventPath: Sendable {
  package let log: any EventLog
  package let histories: any HistorySource
  private let time: any TimeSource

  /// `log` hands what became durable to `histories` before an append returns.
  package init(log: any EventLog, histories: any HistorySource, time: any TimeSource) {
    self.log = log
    self.histories = histories
    self.time = time
  }

  /// The embedded log in `directory` with the embedded store behind it, filled from what the log holds.
  package static func open(
    _ directory: String, disk: any Disk, time: any TimeSource
  ) throws(Fault) -> (path: EventPath, log: EmbeddedEventLog, store: EmbeddedOnlineStore) {
    let store = EmbeddedOnlineStore()
    let log = try EmbeddedEventLog(opening: directory, disk: disk, time: time) { store.apply($0) }
    _ = try store.restore(from: log)
    return (EventPath(log: log, histories: store, time: time), log, store)
  }

  /// Throws `invalidArgument` that names the event, and what the log throws; then nothing of `events` is acknowledged.
  package func record(_ events: [Event]) async throws(Fault) -> RecordReceipt {
    try EventCheck.check(events, now: time.now)
    return try await log.append(events)
  }
}
