import Base
import Foundation
import Snapshots
import Synchronization
import Testing

@Suite("SnapshotBuilder")
struct BuilderTests {
  @Test("the same draft and sources give the same bytes, in any directory")
  func deterministic() throws {
    let workshop = try Workshop()
    let segments = [
      (kind: "vectors", name: "base", bytes: noise(5000, seed: 1)), ("policy", "all", noise(99, seed: 2)),
    ]
    let one = try workshop.build(1, into: try workshop.library("one"), segments: segments)
    let two = try workshop.build(1, into: try workshop.library("two"), segments: segments)
    #expect(one == two)
    #expect(try workshop.fingerprint("one") == workshop.fingerprint("two"))
  }

  @Test("a segment that the library has is shared, its file is not written again")
  func shared() throws {
    let workshop = try Workshop()
    let library = try workshop.library("origin")
    let same = noise(5000, seed: 1)
    let first = try workshop.build(1, into: library, segments: [("vectors", "base", same)])
    let path = workshop.path("origin/segments/\(first.manifest.segments[0].digest.hex).segment")
    func inode() throws -> UInt64? {
      try FileManager.default.attributesOfItem(atPath: path)[.systemFileNumber] as? UInt64
    }
    let before = try #require(try inode())
    try workshop.build(
      2, into: library, parent: first, segments: [("vectors", "base", same), ("policy", "all", [1])])
    #expect(try inode() == before)
    #expect(try library.open(2).segments.count == 2)
  }

  @Test("a source that is written again later does not touch the snapshot")
  func sourcesAreCopied() throws {
    let workshop = try Workshop()
    let library = try workshop.library("origin")
    try workshop.build(1, into: library, segments: [("vectors", "base", noise(5000, seed: 1))])
    let file = workshop.path("vectors-base-1")
    try [UInt8](repeating: 0, count: 5000).withUnsafeBytes { try SystemDisk().write($0, to: file, at: 0) }
    #expect(try library.open(1).sequence == 1)
  }

  @Test("sources that may be consumed are moved, and one that the library has already stays where it is")
  func consumed() throws {
    let workshop = try Workshop()
    let library = try workshop.library("origin")
    let (one, two) = (workshop.path("one"), workshop.path("two"))
    try Data(noise(900, seed: 1)).write(to: URL(fileURLWithPath: one))
    try Data(noise(900, seed: 2)).write(to: URL(fileURLWithPath: two))
    var builder = SnapshotBuilder(library: library, key: workshop.key)
    try _ = builder.build(workshop.draft(1), from: [.init(kind: "vectors", name: "base", path: one)])
    builder.consumesSources = true
    let second = try builder.build(
      workshop.draft(2),
      from: [.init(kind: "vectors", name: "base", path: one), .init(kind: "policy", name: "all", path: two)])
    #expect(FileManager.default.fileExists(atPath: one) && !FileManager.default.fileExists(atPath: two))
    #expect(try library.open(2).digest == second.digest)
  }

  @Test("progress rises to the whole")
  func progress() throws {
    let workshop = try Workshop()
    var sources: [SnapshotBuilder.Source] = []
    for index in 1...3 {
      let file = workshop.path("source-\(index)")
      try Data(noise(200_000 * index, seed: UInt64(index))).write(to: URL(fileURLWithPath: file))
      sources.append(.init(kind: "part", name: "p\(index)", path: file))
    }
    let seen = Mutex<[SnapshotBuilder.Progress]>([])
    let library = try workshop.library("origin")
    let version = try SnapshotBuilder(library: library, key: workshop.key).build(
      workshop.draft(1), from: sources, progress: { step in seen.withLock { $0.append(step) } })
    let steps = seen.withLock { $0 }
    #expect(steps.map(\.bytesDone) == steps.map(\.bytesDone).sorted())
    #expect(steps.last == .init(segment: "part/p3", bytesDone: 1_200_000, bytesTotal: 1_200_000))
    #expect(version.manifest.byteCount == 1_200_000)
    #expect(version.manifest.isSynthetic && version.manifest.segments.allSatisfy { $0.chunks.count > 1 })
  }

  @Test("what no reader would take is not built, and the library is as it was")
  func refused() throws {
    let workshop = try Workshop()
    let (library, _, _) = try workshop.twoSnapshots()
    let before = try workshop.fingerprint("origin")
    func code(_ sequence: UInt64, _ segments: [(kind: String, name: String, bytes: [UInt8])]) -> Refusal.Code?
    {
      refusal { try workshop.build(sequence, into: library, segments: segments) }?.code
    }
    #expect(code(3, []) == .malformed)
    #expect(code(3, [("vectors", "UP", [1])]) == .malformed)
    #expect(code(3, [("vectors", "base", [])]) == .malformed)
    #expect(code(3, [("vectors", "base", [1]), ("vectors", "base", [1])]) == .malformed)
    #expect(code(1, [("vectors", "base", [1])]) == .sequenceConflict)
    let stranger = SnapshotBuilder(library: library, key: .generate())
    let file = workshop.path("vectors-base-1")
    #expect(
      refusal { _ = try stranger.build(workshop.draft(3), from: [.init(kind: "a", name: "b", path: file)]) }?
        .code
        == .untrustedKey)
    #expect(
      refusal {
        _ = try stranger.build(
          workshop.draft(3), from: [.init(kind: "a", name: "b", path: file + "-nowhere")])
      }?.code == .diskError)
    #expect(try workshop.fingerprint("origin") == before)
  }
}

@Suite("SnapshotDiff")
struct SnapshotDiffTests {
  @Test("names what is the same, changed, added and removed, with the bytes that travel")
  func changes() {
    func segment(_ name: String, _ chunks: [UInt8]) -> Manifest.Segment {
      .init(
        kind: "k", name: name, byteCount: UInt64(chunks.count * 100), digest: Digest(of: chunks),
        chunks: chunks.map { .init(byteCount: 100, digest: Digest(of: [$0])) })
    }
    func manifest(_ segments: [Manifest.Segment]) -> Manifest {
      Manifest(
        sequence: 1, created: Timestamp(seconds: 1), expires: Timestamp(seconds: 2), space: "", model: "",
        features: "", policy: "", titleCount: 0, segments: segments)
    }
    let diff = SnapshotDiff(
      from: manifest([segment("same", [1, 2]), segment("changed", [3, 4]), segment("removed", [5])]),
      to: manifest([segment("same", [1, 2]), segment("changed", [3, 6, 6, 5]), segment("added", [6, 7])]))
    #expect(diff.segments.map(\.change) == [.same, .changed, .added, .removed])
    #expect(diff.segments.map(\.bytesToMove) == [0, 100, 100, 0])
    #expect(diff.segments.map(\.bytesShared) == [200, 300, 100, 0])
    #expect(diff.segments.map(\.chunksToMove) == [0, 1, 1, 0])
    #expect(diff.byteCount == 800 && diff.bytesToMove == 200 && diff.bytesShared == 600)
  }
}
