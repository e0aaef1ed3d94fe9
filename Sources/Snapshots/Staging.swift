package import Base
internal import Synchronization

/// One snapshot on its way into a library. Lives as long as its caller fetches for it; ask for ``missing``, hand each
/// chunk to ``accept``, then ``finish``. After a crash, beginning again finds what was accepted.
///
/// A library has one staging: beginning another ends this one, whose calls then throw `limitExceeded`.
package final class Staging: Sendable {
  package struct Counts: Sendable, Equatable {
    /// Bytes of the snapshot's distinct segments.
    package var bytesTotal: UInt64
    /// Bytes that were on the disk already, or that occur again.
    package var bytesReused: UInt64
    /// Bytes of the chunks that were accepted.
    package var bytesFetched: UInt64

    package init(bytesTotal: UInt64, bytesReused: UInt64, bytesFetched: UInt64) {
      self.bytesTotal = bytesTotal
      self.bytesReused = bytesReused
      self.bytesFetched = bytesFetched
    }
  }

  private struct State {
    /// Where each chunk that lacks belongs.
    var missing: [Digest: [ChunkSpan]] = [:]
    var bytesReused: UInt64 = 0
    var bytesFetched: UInt64 = 0
    var phase = Phase.fetching
  }

  private enum Phase { case fetching, finished, abandoned }

  package let version: VerifiedManifest
  let library: SnapshotLibrary
  let ticket: Int
  /// The segments that are not on the disk yet.
  let targets: [Manifest.Segment]
  private let bytesTotal: UInt64
  private let state: Mutex<State>

  init(_ plan: StagingPlan, of version: VerifiedManifest, library: SnapshotLibrary, ticket: Int) {
    self.version = version
    self.library = library
    self.ticket = ticket
    targets = plan.targets
    bytesTotal = plan.bytesTotal
    var state = State()
    for span in plan.missing { state.missing[span.chunk.digest, default: []].append(span) }
    state.bytesReused = plan.bytesTotal - plan.missing.reduce(0) { $0 + UInt64($1.chunk.byteCount) }
    self.state = Mutex(state)
  }

  /// The chunks that have to be fetched, each once, in the order in which they lie in the segments.
  package var missing: [Manifest.Chunk] {
    state.withLock { state in
      state.missing.values.compactMap(\.first)
        .sorted { ($0.segment, $0.offset) < ($1.segment, $1.offset) }
        .map(\.chunk)
    }
  }

  package var counts: Counts {
    state.withLock {
      Counts(bytesTotal: bytesTotal, bytesReused: $0.bytesReused, bytesFetched: $0.bytesFetched)
    }
  }

  /// Takes a chunk from a peer. One that is not missing (any more) changes nothing. Safe to call from many threads.
  ///
  /// Throws `corrupt` when the bytes are not those of the digest, with the place where they belong: another peer may
  /// have the right ones. Throws `diskFull`, after which everything fetched is removed again, or `diskError`.
  package func accept(_ digest: Digest, _ bytes: UnsafeRawBufferPointer) throws(Refusal) {
    let wanted = try state.withLock { (state) throws(Refusal) in
      try requireFetching(state)
      return state.missing[digest] ?? []
    }
    guard let first = wanted.first else { return }
    guard bytes.count == Int(first.chunk.byteCount), Digest(of: bytes) == digest else {
      throw Refusal(
        bytes.count < Int(first.chunk.byteCount) ? .truncated : .corrupt, at: place(of: first),
        "is not chunk \(digest.short) in the \(bytes.count) bytes that came")
    }
    try library.requireStaging(ticket)
    do throws(DiskFault) {
      for span in wanted {
        try library.disk.write(bytes, to: library.partPath(targets[span.segment].digest), at: span.offset)
      }
    } catch {
      if error.code == .full { abandon() }
      throw Refusal(error)
    }
    // If the staging was given up meanwhile, this write has made its part anew.
    library.removeStrayParts()
    state.withLock { state in
      // Two peers may have brought it at once: it counts once.
      guard state.missing.removeValue(forKey: digest) != nil else { return }
      state.bytesFetched += UInt64(bytes.count)
      state.bytesReused += UInt64(bytes.count * (wanted.count - 1))
    }
  }

  package func accept(_ digest: Digest, _ bytes: [UInt8]) throws(Refusal) {
    let outcome: Result<Void, Refusal> = bytes.withUnsafeBytes { buffer in
      do throws(Refusal) { return .success(try accept(digest, buffer)) } catch { return .failure(error) }
    }
    try outcome.get()
  }

  /// Verifies each whole segment, brings all to the disk and writes the manifest last. Afterwards the library has the
  /// snapshot. Throws `truncated` while chunks are missing; `corrupt` when a segment's chunks are right and its whole
  /// is not, which is its maker's fault; `diskFull`, after which everything fetched is removed again.
  package func finish() throws(Refusal) {
    let missing = try state.withLock { (state) throws(Refusal) in
      try requireFetching(state)
      return state.missing.values.compactMap(\.first).min {
        ($0.segment, $0.offset) < ($1.segment, $1.offset)
      }
    }
    if let missing { throw Refusal(.truncated, at: place(of: missing), "has not come yet") }
    do throws(Refusal) {
      try library.requireStaging(ticket)
      try library.complete(targets)
      try library.enter(version)
    } catch {
      // A part that has all its chunks and the wrong digest can't be mended by fetching.
      if error.code == .diskFull || error.code == .corrupt { abandon() }
      throw error
    }
    state.withLock { $0.phase = .finished }
    library.endStaging(ticket, removing: true)
  }

  /// Gives the staging up and removes what it left on the disk. What is served, and any snapshot that is complete, is
  /// not touched.
  package func abandon() {
    let wasFetching = state.withLock { state in
      defer { if state.phase == .fetching { state.phase = .abandoned } }
      return state.phase == .fetching
    }
    if wasFetching { library.endStaging(ticket, removing: true) }
  }

  /// Where a chunk that is missing belongs, for a refusal.
  package func place(ofMissing digest: Digest) -> String {
    let span = state.withLock { $0.missing[digest]?.first }
    return span.map { place(of: $0) } ?? "chunk \(digest.short)"
  }

  private func requireFetching(_ state: borrowing State) throws(Refusal) {
    guard state.phase == .fetching else {
      throw Refusal(.limitExceeded, at: "staging", "is over: begin it again")
    }
  }

  private func place(of span: ChunkSpan) -> String {
    "\(targets[span.segment].key) chunk \(span.number) offset \(span.offset)"
  }
}
