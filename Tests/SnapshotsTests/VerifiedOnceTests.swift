import Base
import Foundation
import Testing

@testable import Snapshots

@Suite("Segments are verified once as long as their files are the same")
struct VerifiedOnceTests {
  private struct Held {
    let library: SnapshotLibrary
    let segment: Manifest.Segment
    let path: String
    /// The segment as a manifest would have it that signs other chunks.
    var forged: Manifest.Segment {
      var forged = segment
      forged.chunks[0].digest = Digest(of: [1])
      return forged
    }

    /// Whether the forged segment passes: only who doesn't hash finds nothing.
    func isTaken() throws -> Bool {
      let mapped = try SystemDisk().map(path)
      return (try? library.verifyChunks(of: [(forged, mapped)])) != nil
    }
  }

  /// A library of two snapshots, of which the second was opened when its files were `age` seconds old.
  private func held(_ workshop: Workshop, age: TimeInterval) throws -> Held {
    let (library, _, second) = try workshop.twoSnapshots()
    let segment = second.manifest.segments[0]
    let path = workshop.path("origin/segments/\(segment.digest.hex).segment")
    try setAge(age, of: path)
    _ = try library.open(2)
    return Held(library: library, segment: segment, path: path)
  }

  private func setAge(_ age: TimeInterval, of path: String) throws {
    try FileManager.default.setAttributes(
      [.modificationDate: Date(timeIntervalSinceNow: -age)], ofItemAtPath: path)
  }

  @Test("a file that was verified is not hashed again, and a new one is")
  func once() throws {
    let workshop = try Workshop()
    let held = try held(workshop, age: 60)
    #expect(try held.isTaken())
    let other = try SnapshotLibrary(directory: held.library.directory, disk: SystemDisk(), trusted: workshop.trusted)
    let mapped = try SystemDisk().map(held.path)
    #expect(refusal { try other.verifyChunks(of: [(held.forged, mapped)]) }?.code == .corrupt)
  }

  @Test("a file that was written a moment before is not remembered")
  func racy() throws {
    let workshop = try Workshop()
    #expect(try !held(workshop, age: -1).isTaken())
  }

  @Test("a write shows, even one that sets the time back, and so does another file of the name")
  func changed() throws {
    let workshop = try Workshop()
    let held = try held(workshop, age: 60)
    let old = try Data(contentsOf: URL(fileURLWithPath: held.path))
    try [old[40] ^ 1].withUnsafeBytes { try SystemDisk().write($0, to: held.path, at: 40) }
    try setAge(60, of: held.path)
    #expect(refusal { _ = try held.library.open(2) }?.code == .corrupt)
    #expect(try !held.isTaken())
    try SystemDisk().remove(held.path)
    try old.write(to: URL(fileURLWithPath: held.path))
    try setAge(60, of: held.path)
    #expect(try !held.isTaken())
    _ = try held.library.open(2)
    #expect(try held.isTaken())
  }

  @Test("snapshots that are open share the mapping of what they share")
  func shared() throws {
    let workshop = try Workshop()
    let held = try held(workshop, age: 60)
    let key = held.segment.key
    let open = { try held.library.open(2).segment(kind: key.kind, name: key.name) }
    let first = try open()
    let second = try open()
    #expect(first === second)
    try setAge(120, of: held.path)
    let third = try open()
    #expect(third !== first && copied(third) == copied(first))
  }
}
