import Base

/// Opens a log's directory: locks it, checks its files, cuts a torn tail, and gathers the known ids.
struct LogOpening {
  var writer: LogWriter
  var lock: DirectoryLock?
  var report: EmbeddedEventLog.Opening

  static func open(
    _ directory: String, disk: any Disk, time: any TimeSource, options: EmbeddedEventLog.Options
  ) throws(Fault) -> LogOpening {
    do throws(DiskFault) { try disk.createDirectory(directory) } catch { throw fault(error) }
    let lock = options.locksDirectory ? try DirectoryLock(directory) : nil
    var report = EmbeddedEventLog.Opening()
    var (segments, origin) = try list(directory, disk: disk, report: &report)
    // Closed files are read back as far as the window of known ids reaches; the rest is checked when it is replayed.
    let end = segments.last?.end ?? origin
    var knownIDs = KnownIDs(countMax: options.knownIDCountMax)
    for index in segments.indices.dropLast() where end - segments[index].end < options.knownIDCountMax {
      try readClosed(&segments[index], disk: disk, knownIDs: &knownIDs)
    }
    if let last = segments.indices.last, !report.cutPath.isEmpty {
      // A next file had been begun, so this one was whole.
      try readClosed(&segments[last], disk: disk, knownIDs: &knownIDs)
    } else if let last = segments.indices.last {
      try readTail(&segments[last], disk: disk, knownIDs: &knownIDs, report: &report)
    }
    var writer = LogWriter(
      directory: directory, disk: disk, time: time, options: options, origin: origin, segments: segments,
      knownIDs: knownIDs)
    writer.retire()
    report.segmentCount = writer.segments.count
    report.first = writer.segments.first?.first ?? origin
    report.end = writer.end
    report.knownIDCount = knownIDs.count
    return LogOpening(writer: writer, lock: lock, report: report)
  }

  static func damage(_ path: String, offset: Int) -> Fault {
    Fault(
      .dataLoss,
      """
      \(path) is damaged at offset \(offset), where events were durable once. Restore the file from a copy; \
      or, to go on without its events, move it and all older event files away
      """)
  }

  /// The files in order, each but the last ending where the next begins. A last file whose header never became whole is
  /// removed: nothing is written behind a header before it is durable. `origin` is the position in that file's name,
  /// from which the log goes on if retention has taken all others.
  private static func list(
    _ directory: String, disk: any Disk, report: inout EmbeddedEventLog.Opening
  ) throws(Fault) -> (segments: [LogSegment], origin: UInt64) {
    let firsts: [UInt64]
    do { firsts = try disk.list(directory).compactMap(LogSegment.first(name:)) } catch { throw fault(error) }
    var segments: [LogSegment] = []
    var origin: UInt64 = 0
    for (index, first) in firsts.enumerated() {
      let path = directory + "/" + LogSegment.name(first: first)
      let mapped = try map(path, disk: disk)
      defer { withExtendedLifetime(mapped) {} }
      if let created = LogSegment.created(header: mapped.bytes, first: first) {
        let end = index + 1 < firsts.count ? firsts[index + 1] : first
        segments.append(
          LogSegment(path: path, first: first, created: created, end: end, byteCount: mapped.count))
      } else if index == firsts.count - 1, mapped.count <= LogSegment.headerByteCount {
        report.cutByteCount = mapped.count
        report.cutPath = path
        origin = first
        do { try disk.remove(path) } catch { throw fault(error) }
      } else {
        throw damage(path, offset: 0)
      }
    }
    return (segments, origin)
  }

  private static func readClosed(
    _ segment: inout LogSegment, disk: any Disk, knownIDs: inout KnownIDs
  ) throws(Fault) {
    let mapped = try map(segment.path, disk: disk)
    defer { withExtendedLifetime(mapped) {} }
    let reached = try gather(mapped.bytes, of: segment, into: &knownIDs)
    guard reached.offset == mapped.count, reached.end == segment.end else {
      throw damage(segment.path, offset: reached.offset)
    }
  }

  private static func readTail(
    _ segment: inout LogSegment, disk: any Disk, knownIDs: inout KnownIDs,
    report: inout EmbeddedEventLog.Opening
  ) throws(Fault) {
    let mapped = try map(segment.path, disk: disk)
    defer { withExtendedLifetime(mapped) {} }
    let reached = try gather(mapped.bytes, of: segment, into: &knownIDs)
    segment.end = reached.end
    segment.byteCount = reached.offset
    if reached.offset < mapped.count {
      try cut(segment, mapped.bytes, from: reached.offset, disk: disk)
      report.cutByteCount = mapped.count - reached.offset
      report.cutPath = segment.path
    }
    // Whole records may be of a group that was written and never synced. From here on they are known ids, so a repeated
    // event is acknowledged on their word: make it good first, and the file's name with it.
    do {
      try disk.sync(segment.path)
      try disk.syncDirectory(directory(of: segment.path))
    } catch { throw fault(error) }
  }

  private static func cut(
    _ segment: LogSegment, _ bytes: UnsafeRawBufferPointer, from offset: Int, disk: any Disk
  ) throws(Fault) {
    guard !LogSegment.isDamaged(bytes, at: offset, position: segment.end) else {
      throw damage(segment.path, offset: offset)
    }
    do { try disk.truncate(segment.path, to: offset) } catch { throw fault(error) }
  }

  private static func gather(
    _ bytes: UnsafeRawBufferPointer, of segment: LogSegment, into knownIDs: inout KnownIDs
  ) throws(Fault) -> (offset: Int, end: UInt64) {
    try LogSegment.walk(bytes, first: segment.first) { (record) throws(Fault) in
      guard let hash = record.idHash(in: bytes) else {
        throw Fault(
          .dataLoss,
          "\(segment.path) offset \(record.payload.lowerBound) holds no event that this version can read")
      }
      knownIDs.insert(hash)
    }
  }

  private static func map(_ path: String, disk: any Disk) throws(Fault) -> MappedBytes {
    do { return try disk.map(path) } catch { throw fault(error) }
  }

  private static func fault(_ cause: DiskFault) -> Fault {
    Fault(
      cause.code == .full ? .resourceExhausted : .unavailable, "can't open the event log: \(cause)")
  }
}
