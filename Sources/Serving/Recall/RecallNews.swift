internal import Base
internal import Snapshots

/// What of a replica's recall was said last: `status` shows it once a minute, and a change for the worse or back at once.
struct RecallNews {
  static let intervalMilliseconds: UInt64 = 60_000

  private var sequence: UInt64 = 0
  private var sampleCount: UInt64 = 0
  private var isLow = false
  private var last: Instant?

  enum Kind {
    case nothing
    case more
    /// Whether recall is low has changed.
    case turn
  }

  mutating func take(_ recall: RetrievalRecall, of sequence: UInt64, at now: Instant) -> Kind {
    if sequence != self.sequence {
      self = RecallNews()
      self.sequence = sequence
    }
    guard recall.sampleCount != sampleCount else { return .nothing }
    let isTurn = recall.isLow != isLow
    if !isTurn, let last, now.nanoseconds(since: last) < Self.intervalMilliseconds * 1_000_000 {
      return .nothing
    }
    sampleCount = recall.sampleCount
    isLow = recall.isLow
    last = now
    return isTurn ? .turn : .more
  }
}

extension Replica {
  /// Tells the control node of newer figures when it is time. Returns what is to be logged: that recall is clearly below
  /// what the index was built for, or no longer. To be called about once a second.
  package func shareRecall() -> String? {
    guard let live = slot.current, let recall = status.recall else { return nil }
    let kind = recallNews.take(recall, of: live.sequence, at: time.instant)
    if kind != .nothing { changed() }
    guard kind == .turn else { return nil }
    return recall.isLow
      ? "WARNING: \(recall.line), of snapshot \(live.sequence): build it whole, without --parent"
      : "\(recall.line), of snapshot \(live.sequence): as it should be again"
  }
}
