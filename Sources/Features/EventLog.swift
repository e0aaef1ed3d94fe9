package import Base

/// Where events become durable, in one order.
///
/// A position is the number of events before it: the first event ever has position 0, and the end is the position
/// that the next one will get.
package protocol EventLog: Sendable {
  /// The position after the last durable event.
  var end: UInt64 { get }

  /// Returns when every event is durable. An event whose id is known already is acknowledged and not recorded again.
  ///
  /// Throws `resourceExhausted` when too much waits or the disk is full, `unavailable` when the log can't write:
  /// then nothing of this call is acknowledged, and the same call may be made again, as ids make it idempotent.
  /// A cancelled task still waits: whether its events became durable is not known earlier.
  func append(_ events: [Event]) async throws(Fault) -> RecordReceipt

  /// Hands over, in order and in batches, all events from `position` to the end at the time of the call.
  /// `next` is the position after the batch. A position that retention has passed begins at the oldest event kept.
  ///
  /// Throws `outOfRange` for a position after the end, `dataLoss` when what was durable can't be read any more.
  func replay(
    from position: UInt64, _ body: (_ events: [Event], _ next: UInt64) throws(Fault) -> Void
  ) throws(Fault)
}
