import Base
import Foundation
import Synchronization
import Testing

@testable import Snapshots

@Suite("Segments are verified once as long as their files are the same")
struct VerifiedOnceTests {
  private struct Held {
    let library: SnapshotLibrary
    let segment: Manifest.Segment
    let path: String

    func hashedCount(_ other: Manifest.Segment? = nil) throws -> Int {
      try library.verifyChunks(of: [(other ?? segment, SystemDisk().map(path))])
    }

    func open() throws -> MappedBytes {
      try library.open(2).segment(kind: segment.key.kind, name: segment.key.name)
    }

    /// Sets the file's time to the same each time, as who wants to hide a write would.
    func age() throws {
      try FileManager.default.setAttributes(
        [.modificationDate: Date(timeIntervalSince1970: 1_700_000_000.25)], ofItemAtPath: path)
    }

    func flip(_ index: Int) throws {
      let old = try Data(contentsOf: URL(fileURLWithPath: path))
      try [old[index] ^ 1].withUnsafeBytes { try SystemDisk().write($0, to: path, at: index) }
    }
  }

  /// A library of two snapshots, of which the second was opened when its first segment had been old.
  private func held(_ workshop: Workshop) throws -> Held {
    let (library, _, second) = try workshop.twoSnapshots()
    let segment = second.manifest.segments[0]
    let held = Held(
      library: library, segment: segment,
      path: workshop.path("origin/segments/\(segment.digest.hex).segment"))
    try held.age()
    _ = try library.open(2)
    return held
  }

  @Test("a file that was verified is not hashed again; by other chunks, or by another library, it is")
  func once() throws {
    let workshop = try Workshop()
    let held = try held(workshop)
    #expect(try held.hashedCount() == 0)
    var forged = held.segment
    forged.chunks[0].digest = Digest(of: [1])
    #expect(refusal { _ = try held.hashedCount(forged) }?.code == .corrupt)
    #expect(try held.hashedCount() == 0)
    let other = try SnapshotLibrary(
      directory: held.library.directory, disk: SystemDisk(), trusted: workshop.trusted)
    let mapped = try SystemDisk().map(held.path)
    #expect(try other.verifyChunks(of: [(held.segment, mapped)]) == 1)
    #expect(try other.verifyChunks(of: [(held.segment, mapped)]) == 0)
  }

  @Test("a write shows, even one that sets the time back, and so does another file of the name")
  func changed() throws {
    let workshop = try Workshop()
    let held = try held(workshop)
    let old = try Data(contentsOf: URL(fileURLWithPath: held.path))
    try held.flip(40)
    try held.age()
    #expect(refusal { _ = try held.open() }?.code == .corrupt)
    try SystemDisk().remove(held.path)
    try old.write(to: URL(fileURLWithPath: held.path))
    try held.age()
    #expect(try held.hashedCount() == 1)
    #expect(try held.hashedCount() == 0)
  }

  @Test("open snapshots share a mapping, and one that was written to isn't shared")
  func shared() throws {
    let workshop = try Workshop()
    let held = try held(workshop)
    let first = try held.open()
    #expect(try held.open() === first)
    try held.flip(40)
    #expect(refusal { _ = try held.open() }?.code == .corrupt)
    try held.flip(40)
    try held.age()
    let again = try held.open()
    #expect(again !== first && copied(again) == copied(first))
  }

  @Test("who reads a chunk that isn't right has the segment hashed again, though its file tells nothing")
  func doubted() throws {
    let workshop = try Workshop()
    let held = try held(workshop)
    held.library.doubt(held.segment.digest)
    #expect(try held.hashedCount() == 1)
    // As the chunk of a damaged file does when it is asked for.
    let chunk = held.segment.chunks[0].digest
    _ = try held.library.chunk(chunk)
    #expect(try held.hashedCount() == 0)
    try held.flip(0)
    #expect(refusal { _ = try held.library.chunk(chunk) }?.code == .corrupt)
    #expect(held.library.contents.withLock { $0.verified[held.segment.digest] == nil })
  }
}
