internal import Base
internal import Dispatch
internal import Synchronization

// Comparing bytes with what a manifest says of them, on all cores.

/// The least index for which `holds` is false, looked for on all cores; `nil` if there is none. `holds` has no effects,
/// so the order in which the cores get to it can't be seen.
func firstFailure(count: Int, holds: @Sendable (Int) -> Bool) -> Int? {
  let least = Atomic<Int>(.max)
  DispatchQueue.concurrentPerform(iterations: count) { index in
    if index < least.load(ordering: .relaxed), !holds(index) {
      _ = least.min(index, ordering: .relaxed)
    }
  }
  let found = least.load(ordering: .relaxed)
  return found == .max ? nil : found
}

/// Which of `count` things hold, in parallel.
func whichHold(count: Int, holds: @Sendable (Int) -> Bool) -> [Bool] {
  let failures = Mutex<[Int]>([])
  DispatchQueue.concurrentPerform(iterations: count) { index in
    if !holds(index) { failures.withLock { $0.append(index) } }
  }
  var result = [Bool](repeating: true, count: count)
  for index in failures.withLock({ $0 }) { result[index] = false }
  return result
}

/// One chunk of one segment: where it lies and what it must be.
struct ChunkSpan: Sendable {
  var segment: Int
  var number: Int
  var offset: Int
  var chunk: Manifest.Chunk

  var range: Range<Int> { offset..<(offset + Int(chunk.byteCount)) }

  func isIntact(in bytes: UnsafeRawBufferPointer) -> Bool {
    range.upperBound <= bytes.count
      && Digest(of: UnsafeRawBufferPointer(rebasing: bytes[range])) == chunk.digest
  }
}

extension Manifest.Segment {
  /// The segment's chunks with their offsets; `index` is the segment's number in the caller's list.
  func spans(index: Int) -> [ChunkSpan] {
    var offset = 0
    return chunks.enumerated().map { number, chunk in
      defer { offset += Int(chunk.byteCount) }
      return ChunkSpan(segment: index, number: number, offset: offset, chunk: chunk)
    }
  }
}

extension SnapshotLibrary {
  /// Every chunk of the segments but of those whose files were verified by the same chunks before. Returns how many were
  /// hashed.
  @discardableResult
  func verifyChunks(
    of segments: [(segment: Manifest.Segment, mapped: MappedBytes)]
  ) throws(Refusal) -> Int {
    let verified = contents.withLock { $0.verified }
    let unknown = segments.filter { verified[$0.digest]?.isOf($0, in: $1.file) != true }
    try checkChunks(of: unknown)
    contents.withLock { contents in
      for (segment, mapped) in unknown {
        contents.verified[segment.digest] = mapped.file.map {
          VerifiedFile(version: $0, chunks: segment.chunks, mapped: mapped)
        }
      }
    }
    return unknown.count
  }

  /// A segment's mapping, with every page at hand once its chunks are verified, so that no request waits for one. Where the
  /// file is one that was verified it is the mapping of the snapshot that has it open, if one has.
  func mapped(_ segment: Manifest.Segment) throws(Refusal) -> MappedBytes {
    let mapped = try refusing { () throws(DiskFault) in try disk.map(segmentPath(segment.digest)) }
    guard let known = contents.withLock({ $0.verified[segment.digest] }), known.isOf(segment, in: mapped.file)
    else {
      // Hashing will touch its pages.
      mapped.willNeed()
      return mapped
    }
    if let live = known.mapped { return live }
    mapped.populate()
    contents.withLock { $0.verified[segment.digest]?.mapped = mapped }
    return mapped
  }

  /// A chunk of the segment was read and isn't what was signed, though nobody may have written to its file: it is hashed
  /// when it is next wanted, and made again.
  func doubt(_ segment: Digest) { contents.withLock { $0.verified[segment] = nil } }
}

/// Every chunk of every segment against its digest. As the chunks are signed and cover their segment, that is every
/// byte. Throws `truncated` or `corrupt` with the first bad segment, chunk number and offset.
private func checkChunks(of segments: [(segment: Manifest.Segment, mapped: MappedBytes)]) throws(Refusal) {
  for (segment, mapped) in segments where UInt64(mapped.count) != segment.byteCount {
    throw Refusal(
      UInt64(mapped.count) < segment.byteCount ? .truncated : .corrupt, at: "\(segment.key)",
      "has \(mapped.count) bytes on the disk, \(segment.byteCount) were signed")
  }
  let spans = segments.enumerated().flatMap { index, entry in entry.segment.spans(index: index) }
  let bad = firstFailure(count: spans.count) {
    spans[$0].isIntact(in: segments[spans[$0].segment].mapped.bytes)
  }
  guard let bad else { return }
  let span = spans[bad]
  throw Refusal(
    .corrupt, at: "\(segments[span.segment].segment.key) chunk \(span.number) offset \(span.offset)",
    "is not what was signed (\(span.chunk.digest.short)): stage the snapshot again")
}
