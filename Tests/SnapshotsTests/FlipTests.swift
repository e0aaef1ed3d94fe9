import Base
import Foundation
import Snapshots
import Testing

/// Ten thousand single bytes, each changed somewhere else: the places of acceptance.
@Suite("Changed bytes")
struct FlipTests {
  private static let seed: UInt64 = 2026

  @Test("any byte of a manifest's file changed: refused with a place, whatever the byte means")
  func envelopes() throws {
    let workshop = try Workshop()
    let (origin, _, second) = try workshop.twoSnapshots()
    let bytes = second.envelope.fileBytes
    var random = SplitMix(seed: Self.seed)
    for _ in 0..<3000 {
      var changed = bytes
      let index = Int.random(in: 0..<changed.count, using: &random)
      changed[index] ^= UInt8.random(in: 1...255, using: &random)
      let found = refusal {
        _ = try origin.verify(try SignedBytes(fileBytes: changed, place: "2.manifest"), now: workshop.now)
      }
      let expected: Set<Refusal.Code> = [
        .malformed, .truncated, .limitExceeded, .badSignature, .untrustedKey,
      ]
      #expect(found.map { expected.contains($0.code) && !$0.place.isEmpty } == true, "byte \(index)")
    }
  }

  @Test(
    "any byte of a manifest changed and signed again: refused with a place, or another manifest in canonical form"
  )
  func signedManifests() throws {
    let workshop = try Workshop()
    let (_, _, second) = try workshop.twoSnapshots()
    let bytes = second.envelope.payload
    var random = SplitMix(seed: Self.seed + 1)
    for _ in 0..<1500 {
      var changed = bytes
      let index = Int.random(in: 0..<changed.count, using: &random)
      changed[index] ^= UInt8.random(in: 1...255, using: &random)
      let envelope = SignedBytes(signing: changed, purpose: .manifest, key: workshop.key)
      do {
        let version = try VerifiedManifest(envelope, trusted: workshop.trusted)
        #expect(version.manifest.bytes == changed && version.digest != second.digest, "byte \(index)")
      } catch {
        #expect(!error.place.isEmpty, "byte \(index)")
      }
    }
  }

  @Test("any byte of a segment on the disk changed: refused at its segment, chunk and offset")
  func segments() throws {
    let workshop = try Workshop()
    let (origin, _, second) = try workshop.twoSnapshots()
    var random = SplitMix(seed: Self.seed + 2)
    for _ in 0..<3000 {
      let segment = try #require(second.manifest.segments.randomElement(using: &random))
      let index = Int.random(in: 0..<Int(segment.byteCount), using: &random)
      let path = workshop.path("origin/segments/\(segment.digest.hex).segment")
      let mask = UInt8.random(in: 1...255, using: &random)
      try flip(index, of: path, by: mask)
      let found = refusal { _ = try origin.open(2) }
      try flip(index, of: path, by: mask)
      var start = 0
      let chunk = try #require(
        segment.chunks.firstIndex { chunk in
          defer { start += Int(chunk.byteCount) }
          return index < start + Int(chunk.byteCount)
        })
      start -= Int(segment.chunks[chunk].byteCount)
      #expect(found?.code == .corrupt)
      #expect(found?.place == "\(segment.key) chunk \(chunk) offset \(start)", "byte \(index)")
    }
    #expect(try origin.open(2).digest == second.digest)
  }

  @Test(
    "any byte of a chunk changed on its way: refused with the place where it belongs, and nothing is written")
  func chunks() throws {
    let workshop = try Workshop()
    let (origin, _, second) = try workshop.twoSnapshots()
    let replica = try workshop.library("replica")
    let staging = try replica.beginStaging(try replica.verify(second.envelope, now: workshop.now))
    let before = try workshop.fingerprint("replica")
    let missing = staging.missing
    var random = SplitMix(seed: Self.seed + 3)
    for _ in 0..<2000 {
      let chunk = try #require(missing.randomElement(using: &random))
      var bytes = try #require(try origin.chunk(chunk.digest))
      bytes[Int.random(in: 0..<bytes.count, using: &random)] ^= UInt8.random(in: 1...255, using: &random)
      let found = refusal { try staging.accept(chunk.digest, bytes) }
      #expect(found?.code == .corrupt)
      #expect(found?.place.contains(" chunk ") == true && found?.place.contains(" offset ") == true)
    }
    #expect(try workshop.fingerprint("replica") == before)
    #expect(staging.missing == missing && staging.counts.bytesFetched == 0)
  }

  @Test(
    "any byte of a manifest on the disk changed: the snapshot is not there, what is damaged is named, the rest serves"
  )
  func manifestsOnDisk() throws {
    let workshop = try Workshop()
    let (_, first, second) = try workshop.twoSnapshots()
    let path = workshop.path("origin/manifests/2.manifest")
    var random = SplitMix(seed: Self.seed + 4)
    for _ in 0..<500 {
      let index = Int.random(in: 0..<second.envelope.fileBytes.count, using: &random)
      let mask = UInt8.random(in: 1...255, using: &random)
      try flip(index, of: path, by: mask)
      let library = try workshop.library("origin")
      #expect(library.snapshot(2) == nil)
      #expect(library.damaged.map(\.path) == [path])
      #expect(refusal { _ = try library.open(2) } == library.damaged.first?.refusal)
      #expect(try library.open(1).digest == first.digest)
      try flip(index, of: path, by: mask)
    }
    // Its segments were not taken for leftovers.
    #expect(try workshop.library("origin").open(2).digest == second.digest)
  }

  @Test("any byte of the state changed: set aside and named, the floor kept, nothing announced")
  func states() throws {
    let workshop = try Workshop()
    let (origin, _, second) = try workshop.twoSnapshots()
    try origin.setCurrent(sequence: 2, digest: second.digest)
    let path = workshop.path("origin/state")
    let bytes = try SystemDisk().read(path, limit: 1000)
    for index in bytes.indices {
      var changed = bytes
      changed[index] ^= UInt8(truncatingIfNeeded: 1 << (index % 8))
      try Data(changed).write(to: URL(fileURLWithPath: path))
      let library = try workshop.library("origin")
      #expect(library.damaged.map(\.path) == [path + ".damaged"])
      #expect(library.damaged.first?.refusal.code == .corrupt)
      #expect(library.state.floor?.sequence == 2 && library.state.current == nil)
    }
    try Data(bytes).write(to: URL(fileURLWithPath: path))
    #expect(try workshop.library("origin").state.current?.sequence == 2)
    for count in 0..<bytes.count {
      try Data(bytes.prefix(count)).write(to: URL(fileURLWithPath: path))
      #expect(try workshop.library("origin").damaged.count == 1, "cut after \(count)")
    }
  }

  @Test("a truncated, a longer and a missing segment are each refused by name")
  func sizes() throws {
    let workshop = try Workshop()
    let (origin, _, second) = try workshop.twoSnapshots()
    let segment = second.manifest.segments[1]
    let path = workshop.path("origin/segments/\(segment.digest.hex).segment")
    let size = Int(segment.byteCount)
    for (count, code) in [(size - 1, Refusal.Code.truncated), (0, .truncated), (size + 1, .corrupt)] {
      try SystemDisk().truncate(path, to: count)
      let found = refusal { _ = try origin.open(2) }
      #expect(found?.code == code && found?.place == "vectors/base", "\(count) bytes")
    }
    try SystemDisk().remove(path)
    #expect(refusal { _ = try origin.open(2) }?.code == .diskError)
    let reopened = try workshop.library("origin")
    #expect(
      refusal { _ = try reopened.open(2) } == Refusal(.truncated, at: "vectors/base", "has no file \(path)"))
  }

  @Test("a segment or a chunk of another snapshot in the place of its own is refused with its place")
  func swapped() throws {
    let workshop = try Workshop()
    let (origin, first, second) = try workshop.twoSnapshots()
    func path(_ version: VerifiedManifest, _ index: Int) -> String {
      workshop.path("origin/segments/\(version.manifest.segments[index].digest.hex).segment")
    }
    // The two have the same size where a segment has; here the other's is longer.
    let other = try SystemDisk().read(path(first, 1), limit: 1 << 20)
    let own = try SystemDisk().read(path(second, 1), limit: 1 << 20)
    try Data(other + [UInt8](repeating: 0, count: own.count - other.count)).write(
      to: URL(fileURLWithPath: path(second, 1)))
    let found = refusal { _ = try origin.open(2) }
    #expect(found?.code == .corrupt && found?.place.hasPrefix("vectors/base chunk ") == true)

    let replica = try workshop.library("replica")
    let staging = try replica.beginStaging(try replica.verify(second.envelope, now: workshop.now))
    let chunks = staging.missing
    let bytes = try #require(try origin.chunk(chunks[1].digest))
    let wrong = refusal { try staging.accept(chunks[0].digest, bytes) }
    #expect(wrong?.place == "catalogue/base chunk 0 offset 0")
  }

  /// Changes one byte in place, as a disk would: the mapping of a running process sees it. Again, and it is as it was.
  private func flip(_ index: Int, of path: String, by mask: UInt8) throws {
    let old = try SystemDisk().read(path, limit: 1 << 20)[index]
    try [old ^ mask].withUnsafeBytes { try SystemDisk().write($0, to: path, at: index) }
  }
}
