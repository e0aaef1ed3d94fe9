import Base

/// Reads one file of the log from its mapping, in batches.
enum LogReplay {
  static let batchEventCount = 1024

  static func replay(
    _ segment: LogSegment, from position: UInt64, disk: any Disk,
    _ body: (_ events: [Event], _ next: UInt64) throws(Fault) -> Void
  ) throws(Fault) {
    let mapped: MappedBytes
    do { mapped = try disk.map(segment.path) } catch {
      // Retention may remove the file between the caller's look and ours.
      throw Fault(.unavailable, "can't read the event log: \(error)")
    }
    defer { withExtendedLifetime(mapped) {} }
    mapped.willNeed()
    guard mapped.count >= segment.byteCount else {
      throw Fault(
        .dataLoss, "\(segment.path) has \(mapped.count) bytes, \(segment.byteCount) of it were durable")
    }
    let bytes = UnsafeRawBufferPointer(rebasing: mapped.bytes[..<segment.byteCount])
    var batch: [Event] = []
    batch.reserveCapacity(batchEventCount)
    let reached = try LogSegment.walk(bytes, first: segment.first) { (record) throws(Fault) in
      guard record.position >= position, record.position < segment.end else { return }
      guard let event = record.event(in: bytes) else {
        throw Fault(
          .dataLoss,
          "\(segment.path) offset \(record.payload.lowerBound) holds no event that this version can read")
      }
      batch.append(event)
      if batch.count == batchEventCount {
        try body(batch, record.position + 1)
        batch.removeAll(keepingCapacity: true)
      }
    }
    guard reached.end == segment.end, reached.offset == segment.byteCount else {
      throw LogOpening.damage(segment.path, offset: reached.offset)
    }
    if !batch.isEmpty { try body(batch, reached.end) }
  }
}
