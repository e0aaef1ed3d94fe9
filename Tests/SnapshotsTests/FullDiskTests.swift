import Base
import Foundation
import Glibc
import Snapshots
import Testing

/// A file system of `bytes` in memory, unmounted when it goes. `nil` where we may not mount.
private final class SmallDisk {
  let path: String

  init?(bytes: Int) {
    path =
      FileManager.default.temporaryDirectory.appendingPathComponent("marquee-small-\(UUID().uuidString)").path
    guard mkdir(path, 0o755) == 0 else { return nil }
    guard mount("tmpfs", path, "tmpfs", 0, "size=\(bytes)") == 0 else {
      rmdir(path)
      return nil
    }
  }

  deinit {
    umount(path)
    rmdir(path)
  }
}

@Suite("A disk that is really full")
struct FullDiskTests {
  private static let mayMount = SmallDisk(bytes: 1 << 16) != nil

  @Test(
    "staging onto it is refused as full, leaves nothing, and the snapshot that is served still opens",
    .enabled(if: mayMount, "mounting a tmpfs is not allowed here"))
  func full() throws {
    let workshop = try Workshop()
    let (origin, first, _) = try workshop.twoSnapshots()
    let large = try workshop.build(3, into: origin, segments: [("vectors", "base", noise(400_000, seed: 1))])
    let small = try #require(SmallDisk(bytes: 256 << 10))
    let library = try SnapshotLibrary(
      directory: small.path + "/replica", disk: SystemDisk(), trusted: workshop.trusted)
    try library.copy(1, from: origin, now: workshop.now)
    let live = try library.open(1)
    let found = refusal { try library.copy(3, from: origin, now: workshop.now) }
    #expect(found?.code == .diskFull && found?.message.contains("No space left") == true)
    #expect(library.snapshots == [first])
    #expect(try SystemDisk().list(small.path + "/replica/staging") == [])
    #expect(try library.open(1).digest == live.digest)
    // What is left of the room is enough to go on remembering.
    try library.setCurrent(sequence: 1, digest: first.digest)
    try library.recordRefused(large.envelope, try #require(found))
    #expect(library.state.refused.map(\.refusal.code) == [.diskFull])
  }
}
