import Base

/// Owns the end of the log: what is durable, the ids known, and the verb that makes a group durable.
///
/// Invariant: every byte before a segment's `byteCount` is synced and stays as it is; bytes behind the last segment's
/// `byteCount` are nobody's, and are cut before anything is written there.
struct LogWriter: Sendable {
  struct Commit {
    var receipts: [RecordReceipt]
    /// The events that were not known before, in order.
    var fresh: [Event]
  }

  let directory: String
  let disk: any Disk
  let time: any TimeSource
  let options: EmbeddedEventLog.Options
  /// Where a log without files begins.
  let origin: UInt64
  var segments: [LogSegment]
  var knownIDs: KnownIDs
  private var isTailDirty = false

  init(
    directory: String, disk: any Disk, time: any TimeSource, options: EmbeddedEventLog.Options,
    origin: UInt64, segments: [LogSegment], knownIDs: KnownIDs
  ) {
    self.origin = origin
    self.directory = directory
    self.disk = disk
    self.time = time
    self.options = options
    self.segments = segments
    self.knownIDs = knownIDs
  }

  var end: UInt64 { segments.last?.end ?? origin }

  /// Makes all of the group durable with one sync, or nothing of it.
  mutating func commit(_ group: [[Event]]) throws(Fault) -> Commit {
    do {
      try mendTail()
      if segments.last.map({ $0.byteCount >= options.segmentByteCountMax }) ?? true { try roll() }
    } catch { throw fault(error) }
    let index = segments.count - 1
    let start = segments[index].byteCount
    var position = segments[index].end
    var bytes: [UInt8] = []
    var hashes: [UInt64] = []
    var seen: Set<UInt64> = []
    var commit = Commit(receipts: [], fresh: [])
    for events in group {
      var duplicateCount = 0
      for event in events {
        let hash = eventHash(event.id)
        guard !knownIDs.contains(hash), seen.insert(hash).inserted else {
          duplicateCount += 1
          continue
        }
        EventRecord.append(event, position: position, groupStart: UInt32(start), to: &bytes)
        position += 1
        hashes.append(hash)
        commit.fresh.append(event)
      }
      commit.receipts.append(
        RecordReceipt(acceptedCount: events.count, duplicateCount: duplicateCount, position: position))
    }
    guard !bytes.isEmpty else { return commit }
    do {
      try write(bytes, to: segments[index].path, at: start)
      try disk.sync(segments[index].path)
    } catch {
      // Cut now if it goes, so that a full disk gets its bytes back; the next commit looks again.
      isTailDirty = true
      try? mendTail()
      throw fault(error)
    }
    segments[index].byteCount = start + bytes.count
    segments[index].end = position
    for hash in hashes { knownIDs.insert(hash) }
    return commit
  }

  /// Begins the next file. The one before it is whole and synced by then.
  private mutating func roll() throws(DiskFault) {
    let first = end
    let path = directory + "/" + LogSegment.name(first: first)
    let created = time.now
    let header = LogSegment.header(first: first, created: created)
    do {
      try write(header, to: path, at: 0)
      try disk.sync(path)
      try disk.syncDirectory(directory)
    } catch {
      try? disk.remove(path)
      throw error
    }
    segments.append(
      LogSegment(path: path, first: first, created: created, end: first, byteCount: header.count))
    retire()
  }

  /// Removes the oldest closed files while the log is larger than allowed or they are older than allowed.
  ///
  /// A file that can't be removed now is tried again at the next roll: keeping too much is no reason to stop.
  mutating func retire() {
    let oldest = time.now.advanced(bySeconds: -Int64(options.retainedDays) * 86_400)
    while segments.count > 1 {
      let byteCount = segments.reduce(0) { $0 + $1.byteCount }
      // All events of a file were recorded before the next one was begun.
      guard byteCount > options.retainedByteCountMax || segments[1].created < oldest else { return }
      guard (try? disk.remove(segments[0].path)) != nil else { return }
      segments.removeFirst()
      // Before the next one goes, so that a crash leaves no gap between files.
      guard (try? disk.syncDirectory(directory)) != nil else { return }
    }
  }

  private mutating func mendTail() throws(DiskFault) {
    guard isTailDirty, let tail = segments.last else { return }
    try disk.truncate(tail.path, to: tail.byteCount)
    isTailDirty = false
  }

  private func write(_ bytes: [UInt8], to path: String, at offset: Int) throws(DiskFault) {
    try bytes.withUnsafeBufferPointer { (buffer) throws(DiskFault) in
      try disk.write(UnsafeRawBufferPointer(buffer), to: path, at: offset)
    }
  }

  private func fault(_ cause: DiskFault) -> Fault {
    switch cause.code {
    case .full:
      Fault(
        .resourceExhausted,
        "the event log's disk is full, nothing of this call was recorded: \(cause). Free space or lower its retention"
      )
    case .notFound, .exists, .failed:
      Fault(.unavailable, "the event log can't write, nothing of this call was recorded: \(cause)")
    }
  }
}
