package import Base
import Dispatch
import Synchronization

/// The event log in a directory of this machine: files of checksummed records, one sync for many appends.
///
/// Appends wait in a bounded queue; a serial dispatch queue takes what waits, writes it as one group, syncs once, hands
/// the new events to `deliver` and then acknowledges. So an acknowledged event is durable, and whatever `deliver` feeds
/// has seen it. While one group syncs the next one gathers: the slower the disk, the larger the groups.
///
/// Disk: at most `retainedByteCountMax` + one file + one group. Memory: `queuedEventCountMax` × at most 900 bytes, and 33
/// bytes a known id.
package final class EmbeddedEventLog: EventLog {
  package struct Options: Sendable {
    /// A file this large is closed, and the next one begun.
    package var segmentByteCountMax = 64 << 20
    /// 2 GiB are about 10 million events of 200 bytes, which a restart replays in 20 s at 500,000 a second.
    package var retainedByteCountMax = 2 << 30
    package var retainedDays = 30
    /// Ids by which a repeated event is known. A million at 1,000 events a second are 17 minutes of retries.
    package var knownIDCountMax = 1_000_000
    /// Events that may wait for the disk: 100 messages of the largest size.
    package var queuedEventCountMax = 100 * Limits.eventsPerMessageMax
    /// Appends are gathered until their events reach this: 8,192 × 200 bytes are 1.6 MB a sync.
    package var groupEventCountTarget = 8192
    /// False only where the disk isn't the machine's own, as in a simulation.
    package var locksDirectory = true

    package init() {}
  }

  /// What opening found and did.
  package struct Opening: Sendable, Equatable {
    package var segmentCount = 0
    /// The oldest position kept, and the position after the last event.
    package var first: UInt64 = 0
    package var end: UInt64 = 0
    package var knownIDCount = 0
    /// Bytes of an append that was never acknowledged, cut from the end of `cutPath`; 0 after a clean end.
    package var cutByteCount = 0
    package var cutPath = ""

    package init() {}
  }

  package let opening: Opening

  private struct Waiting {
    var events: [Event]
    var continuation: CheckedContinuation<Result<RecordReceipt, Fault>, Never>
  }

  private struct Queue {
    var waiting: [Waiting] = []
    /// Waiting, and in the group that is being written.
    var eventCount = 0
    var isDraining = false
    var isClosed = false
  }

  private let options: Options
  private let deliver: @Sendable ([Event]) -> Void
  private let queue = Mutex(Queue())
  private let writer: Mutex<LogWriter>
  /// A copy of the writer's segments that readers take without waiting for a sync.
  private let durable: Mutex<[LogSegment]>
  private let disk: any Disk
  private let lock: Mutex<DirectoryLock?>
  private let writing = DispatchQueue(label: "marquee.eventlog")

  /// Opens the log, making the directory if needed. `deliver` gets each new event once, in the log's order, after it is
  /// durable and before its append returns; it runs on the writing queue, so it must be quick and must not append.
  ///
  /// Throws `failedPrecondition` when another writer has the directory, `dataLoss` when bytes that were durable are
  /// damaged (the message names file and offset), `unavailable` or `resourceExhausted` when the disk doesn't work.
  package init(
    opening directory: String, disk: any Disk, time: any TimeSource, options: Options = Options(),
    deliver: @escaping @Sendable ([Event]) -> Void = { _ in }
  ) throws(Fault) {
    precondition((1...1 << 30).contains(options.segmentByteCountMax), "offsets in a file are 32 bits")
    precondition(
      options.groupEventCountTarget > 0 && options.queuedEventCountMax > 0, "nothing could be appended")
    let opened = try LogOpening.open(directory, disk: disk, time: time, options: options)
    self.options = options
    self.deliver = deliver
    self.disk = disk
    opening = opened.report
    lock = Mutex(opened.lock)
    durable = Mutex(opened.writer.segments)
    writer = Mutex(opened.writer)
  }

  package var end: UInt64 { durable.withLock { $0.last?.end ?? opening.end } }

  /// The oldest position that is kept.
  package var first: UInt64 { durable.withLock { $0.first?.first ?? opening.end } }

  /// Bytes of the log on the disk.
  package var byteCount: Int { durable.withLock { $0.reduce(0) { $0 + $1.byteCount } } }

  /// Events that wait for the disk or are being written.
  package var queuedEventCount: Int { queue.withLock { $0.eventCount } }

  package func append(_ events: [Event]) async throws(Fault) -> RecordReceipt {
    for (index, event) in events.enumerated() { try check(event, index) }
    guard !events.isEmpty else { return RecordReceipt(acceptedCount: 0, duplicateCount: 0, position: end) }
    let result = await withCheckedContinuation { continuation in
      if let refusal = enqueue(Waiting(events: events, continuation: continuation)) {
        continuation.resume(returning: .failure(refusal))
      }
    }
    return try result.get()
  }

  /// Refuses further appends, waits until what was queued is durable, and frees the directory.
  package func close() async {
    queue.withLock { $0.isClosed = true }
    // Drained here, as the block that an append has queued for it may come after this one.
    await withCheckedContinuation { continuation in
      writing.async {
        self.drain()
        continuation.resume()
      }
    }
    lock.withLock { $0 = nil }
  }

  /// What the format can't hold or the window of ids can't tell apart; the rest is ``EventCheck``'s.
  private func check(_ event: Event, _ index: Int) throws(Fault) {
    guard !event.id.isEmpty else { throw Fault(.invalidArgument, "events[\(index)].id is empty") }
    for text in [event.id, event.profileID, event.titleID, event.surface, event.requestID]
    where text.utf8.count > Limits.idByteCountMax {
      throw Fault(.invalidArgument, "events[\(index)] has an id of more than \(Limits.idByteCountMax) bytes")
    }
  }

  /// Queues it, or says why not.
  private func enqueue(_ entry: Waiting) -> Fault? {
    let (refusal, starts): (Fault?, Bool) = queue.withLock { queue in
      guard !queue.isClosed else { return (Fault(.unavailable, "the event log is closed"), false) }
      guard queue.eventCount + entry.events.count <= options.queuedEventCountMax else {
        let fault = Fault(
          .resourceExhausted,
          "\(queue.eventCount) events wait for the disk, at most \(options.queuedEventCountMax) may: try again later"
        )
        return (fault, false)
      }
      queue.waiting.append(entry)
      queue.eventCount += entry.events.count
      let starts = !queue.isDraining
      queue.isDraining = true
      return (nil, starts)
    }
    if starts { writing.async { self.drain() } }
    return refusal
  }

  private func drain() {
    while true {
      let group = nextGroup()
      if group.isEmpty { return }
      let outcome = writer.withLock { writer -> Result<LogWriter.Commit, Fault> in
        do throws(Fault) {
          let commit = try writer.commit(group.map(\.events))
          durable.withLock { $0 = writer.segments }
          return .success(commit)
        } catch { return .failure(error) }
      }
      if case .success(let commit) = outcome, !commit.fresh.isEmpty { deliver(commit.fresh) }
      queue.withLock { $0.eventCount -= group.reduce(0) { $0 + $1.events.count } }
      for (index, entry) in group.enumerated() {
        entry.continuation.resume(returning: outcome.map { $0.receipts[index] })
      }
    }
  }

  private func nextGroup() -> ArraySlice<Waiting> {
    queue.withLock { queue in
      var eventCount = 0
      var count = 0
      while count < queue.waiting.count, eventCount < options.groupEventCountTarget {
        eventCount += queue.waiting[count].events.count
        count += 1
      }
      let group = queue.waiting[..<count]
      queue.waiting = Array(queue.waiting[count...])
      if group.isEmpty { queue.isDraining = false }
      return group
    }
  }
}

extension EmbeddedEventLog {
  package func replay(
    from position: UInt64, _ body: (_ events: [Event], _ next: UInt64) throws(Fault) -> Void
  ) throws(Fault) {
    let segments = durable.withLock { $0 }
    let end = segments.last?.end ?? opening.end
    guard position <= end else {
      throw Fault(.outOfRange, "the event log ends at \(end), \(position) is not in it yet")
    }
    for segment in segments where segment.end > position {
      try LogReplay.replay(segment, from: position, disk: disk, body)
    }
  }
}
