import Base
import Foundation
import Snapshots
import Synchronization
import Testing

@Suite("Staging")
struct StagingTests {
  private func begin(
    _ version: VerifiedManifest, in library: SnapshotLibrary, of workshop: Workshop
  ) throws -> Staging {
    try library.beginStaging(try library.verify(version.envelope, now: workshop.now))
  }

  private func fetch(_ staging: Staging, from origin: SnapshotLibrary) throws {
    for chunk in staging.missing {
      try staging.accept(chunk.digest, try #require(try origin.chunk(chunk.digest)))
    }
  }

  @Test("only what changed is fetched, each chunk once, and what is fetched and reused makes the whole")
  func onlyWhatChanged() throws {
    let workshop = try Workshop()
    let (origin, first, second) = try workshop.twoSnapshots()
    let replica = try workshop.library("replica")
    let all = try begin(first, in: replica, of: workshop)
    #expect(all.counts == .init(bytesTotal: first.manifest.byteCount, bytesReused: 0, bytesFetched: 0))
    try fetch(all, from: origin)
    try all.finish()
    #expect(all.counts.bytesFetched == first.manifest.byteCount)

    let diff = SnapshotDiff(from: first.manifest, to: second.manifest)
    let staging = try begin(second, in: replica, of: workshop)
    let missing = staging.missing
    #expect(missing.reduce(0) { $0 + UInt64($1.byteCount) } == diff.bytesToMove)
    #expect(missing.count == diff.segments.reduce(0) { $0 + $1.chunksToMove })
    #expect(Set(missing.map(\.digest)).count == missing.count)
    #expect(diff.bytesToMove < 6000, "the vectors' change, and the repeated stretch once")
    try fetch(staging, from: origin)
    try staging.finish()
    #expect(staging.counts.bytesFetched == diff.bytesToMove)
    #expect(staging.counts.bytesFetched + staging.counts.bytesReused == staging.counts.bytesTotal)

    let (theirs, ours) = (try origin.open(2), try replica.open(2))
    for segment in second.manifest.segments {
      let own = try ours.segment(kind: segment.kind, name: segment.name)
      #expect(copied(own) == copied(try theirs.segment(kind: segment.kind, name: segment.name)))
    }
    #expect(try workshop.leftovers("replica", besides: [first, second]) == [])
  }

  @Test("staging what is complete fetches nothing, and staging what was damaged fetches the damaged chunk")
  func mends() throws {
    let workshop = try Workshop()
    let (origin, first, second) = try workshop.twoSnapshots()
    let replica = try workshop.library("replica")
    try replica.copy(1, from: origin, now: workshop.now)
    try replica.copy(2, from: origin, now: workshop.now)
    #expect(try begin(second, in: replica, of: workshop).missing.isEmpty)

    let segment = second.manifest.segments[0]
    let path = workshop.path("replica/segments/\(segment.digest.hex).segment")
    let live = try replica.open(2)
    let place = 3100
    let old = copied(try live.segment(kind: segment.kind, name: segment.name))[place]
    try [old ^ 1].withUnsafeBytes { try SystemDisk().write($0, to: path, at: place) }
    #expect(refusal { _ = try replica.open(2) }?.code == .corrupt)
    let staging = try begin(second, in: replica, of: workshop)
    #expect(staging.missing.count == 1)
    try fetch(staging, from: origin)
    try staging.finish()
    #expect(try replica.open(2).digest == second.digest)
    #expect(try replica.open(1).digest == first.digest)
    #expect(try workshop.leftovers("replica", besides: [first, second]) == [])
  }

  @Test("finishing while a chunk lacks is refused, and goes on when it has come")
  func unfinished() throws {
    let workshop = try Workshop()
    let (origin, first, _) = try workshop.twoSnapshots()
    let replica = try workshop.library("replica")
    let staging = try begin(first, in: replica, of: workshop)
    let last = try #require(staging.missing.last)
    for chunk in staging.missing.dropLast() {
      try staging.accept(chunk.digest, try #require(try origin.chunk(chunk.digest)))
    }
    #expect(refusal { try staging.finish() }?.code == .truncated)
    #expect(replica.snapshots.isEmpty)
    let bytes = try #require(try origin.chunk(last.digest))
    #expect(refusal { try staging.accept(last.digest, Array(bytes.dropLast())) }?.code == .truncated)
    try staging.accept(last.digest, bytes)
    let counts = staging.counts
    try staging.accept(last.digest, bytes)
    try staging.accept(Digest(of: [1]), [1])
    #expect(staging.counts == counts, "again, and what nobody asked for, change nothing")
    try staging.finish()
    #expect(refusal { try staging.finish() }?.code == .limitExceeded)
    #expect(refusal { try staging.accept(last.digest, bytes) }?.code == .limitExceeded)
  }

  @Test("what was given up leaves nothing, and the chunks of another snapshot stay")
  func abandoned() throws {
    let workshop = try Workshop()
    let (origin, first, second) = try workshop.twoSnapshots()
    let replica = try workshop.library("replica")
    try replica.copy(1, from: origin, now: workshop.now)
    let before = try workshop.fingerprint("replica")
    let staging = try begin(second, in: replica, of: workshop)
    let chunk = try #require(staging.missing.first)
    try staging.accept(chunk.digest, try #require(try origin.chunk(chunk.digest)))
    staging.abandon()
    #expect(try workshop.fingerprint("replica") == before)
    #expect(try replica.open(1).digest == first.digest)
    #expect(refusal { try staging.finish() }?.code == .limitExceeded)
  }

  @Test("a second staging takes the place of the first, with the chunks that both want")
  func superseded() throws {
    let workshop = try Workshop()
    let (origin, _, second) = try workshop.twoSnapshots()
    let replica = try workshop.library("replica")
    let older = try begin(second, in: replica, of: workshop)
    let chunk = try #require(older.missing.first)
    let bytes = try #require(try origin.chunk(chunk.digest))
    try older.accept(chunk.digest, bytes)
    let newer = try begin(second, in: replica, of: workshop)
    #expect(!newer.missing.contains(chunk))
    let next = try #require(newer.missing.first)
    #expect(
      refusal { try older.accept(next.digest, try #require(try origin.chunk(next.digest))) }?.code
        == .limitExceeded)
    older.abandon()
    try fetch(newer, from: origin)
    try newer.finish()
    #expect(try replica.open(2).digest == second.digest)
  }

  @Test("after a crash the library knows what was being staged; parts of anything else go")
  func interrupted() throws {
    let workshop = try Workshop()
    let (origin, first, second) = try workshop.twoSnapshots()
    let staging = try begin(first, in: try workshop.library("replica"), of: workshop)
    let chunk = try #require(staging.missing.first)
    try staging.accept(chunk.digest, try #require(try origin.chunk(chunk.digest)))
    for name in [
      "staging/\(second.digest.hex).part", "staging/x", "segments/y", "manifests/1.manifest.draft",
      "state.draft",
    ] {
      try Data([1]).write(to: URL(fileURLWithPath: workshop.path("replica/\(name)")))
    }
    let replica = try workshop.library("replica")
    #expect(replica.interrupted == first)
    let parts = first.manifest.segments.map { "staging/\($0.digest.hex).part" }
    #expect(try workshop.leftovers("replica", besides: []) == (parts + ["staging/wanted.manifest"]).sorted())
    let again = try replica.beginStaging(first)
    #expect(!again.missing.contains(chunk))
    #expect(replica.interrupted == nil)
    again.abandon()
    #expect(try workshop.leftovers("replica", besides: []) == [])
  }

  @Test("chunks from many threads at once make the same snapshot, each counted once")
  func concurrent() async throws {
    let workshop = try Workshop()
    let (origin, _, second) = try workshop.twoSnapshots()
    let replica = try workshop.library("replica")
    let staging = try begin(second, in: replica, of: workshop)
    let chunks = staging.missing
    try await withThrowingTaskGroup(of: Void.self) { group in
      for offset in 0..<4 {
        group.addTask {
          for index in chunks.indices {
            let chunk = chunks[(index + offset * 7) % chunks.count]
            if let bytes = try origin.chunk(chunk.digest) { try staging.accept(chunk.digest, bytes) }
          }
        }
      }
      try await group.waitForAll()
    }
    #expect(staging.counts.bytesFetched == chunks.reduce(0) { $0 + UInt64($1.byteCount) })
    try staging.finish()
    #expect(try replica.open(2).digest == second.digest)
  }

  @Test(
    "a manifest whose chunks are right and whose segment digest is not is refused at the end, and leaves nothing"
  )
  func lyingManifest() throws {
    let workshop = try Workshop()
    let (origin, first, _) = try workshop.twoSnapshots()
    var manifest = first.manifest
    manifest.sequence = 9
    manifest.segments[1].digest = Digest(of: [1])
    let replica = try workshop.library("replica")
    let staging = try replica.beginStaging(try replica.verify(workshop.sign(manifest), now: workshop.now))
    try fetch(staging, from: origin)
    let found = refusal { try staging.finish() }
    #expect(found?.code == .corrupt && found?.place == "vectors/base")
    #expect(replica.snapshots.isEmpty)
    #expect(try workshop.leftovers("replica", besides: []) == [])
  }

  @Test("a library that is open for reading changes nothing and serves")
  func readOnly() throws {
    let workshop = try Workshop()
    let (_, _, second) = try workshop.twoSnapshots()
    for name in ["staging/x", "segments/y"] {
      try Data([1]).write(to: URL(fileURLWithPath: workshop.path("origin/\(name)")))
    }
    let before = try workshop.fingerprint("origin")
    let reader = try workshop.library("origin", isReadOnly: true)
    #expect(try reader.open(2).digest == second.digest)
    #expect(refusal { _ = try reader.beginStaging(second) }?.code == .diskError)
    #expect(refusal { try reader.setCurrent(sequence: 2, digest: second.digest) }?.code == .diskError)
    #expect(refusal { _ = try reader.prune(keeping: 0) }?.code == .diskError)
    #expect(try workshop.fingerprint("origin") == before)
    #expect(refusal { _ = try workshop.library("nowhere", isReadOnly: true) }?.code == .diskError)
  }
}
