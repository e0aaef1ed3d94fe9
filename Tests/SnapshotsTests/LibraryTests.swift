import Base
import Foundation
import Snapshots
import Testing

@Suite("SnapshotLibrary")
struct LibraryTests {
  @Test("what was announced is announced after a restart; older and unknown ones are refused")
  func current() throws {
    let workshop = try Workshop()
    let (library, first, second) = try workshop.twoSnapshots()
    #expect(refusal { try library.setCurrent(sequence: 3, digest: first.digest) }?.code == .truncated)
    #expect(refusal { try library.setCurrent(sequence: 1, digest: second.digest) }?.code == .sequenceConflict)
    try library.setCurrent(sequence: 1, digest: first.digest)
    try library.setCurrent(sequence: 2, digest: second.digest)
    #expect(refusal { try library.setCurrent(sequence: 1, digest: first.digest) }?.code == .olderSequence)
    let reopened = try workshop.library("origin")
    #expect(reopened.state.current == .init(sequence: 2, digest: second.digest))
    #expect(reopened.snapshots.map(\.sequence) == [1, 2])
    #expect(reopened.damaged.isEmpty)
  }

  @Test(
    "pruning keeps the newest, the current, the pinned and what is being staged, and no segment that nobody names"
  )
  func prune() throws {
    let workshop = try Workshop()
    let library = try workshop.library("replica")
    var versions: [VerifiedManifest] = []
    let shared = noise(2000, seed: 99)
    for sequence in UInt64(1)...6 {
      versions.append(
        try workshop.build(
          sequence, into: library,
          segments: [("vectors", "base", noise(2000, seed: sequence)), ("policy", "all", shared)]))
    }
    try library.setCurrent(sequence: 2, digest: versions[1].digest)
    let open = try library.open(1)
    let other = try workshop.library("other")
    let seventh = try workshop.build(7, into: other, segments: [("vectors", "base", noise(2000, seed: 3))])
    let staging = try library.beginStaging(try library.verify(seventh.envelope, now: workshop.now))
    #expect(staging.missing.isEmpty)
    #expect(try library.prune(keeping: 2, pinned: [4]) == [1, 3])
    try staging.finish()
    let kept = [1, 3, 4, 5].map { versions[$0] } + [seventh]
    #expect(library.snapshots == kept)
    #expect(try workshop.leftovers("replica", besides: kept) == [])
    #expect(try library.open(7).digest == seventh.digest)
    #expect(open.segments.count == 2, "an open snapshot outlives its files")
    #expect(copied(try open.segment(kind: "vectors", name: "base")) == noise(2000, seed: 1))
    #expect(try library.chunk(versions[0].manifest.segments[0].chunks[0].digest) == nil)
    #expect(try workshop.library("replica").snapshots == kept)
  }

  @Test("a chunk is served verified, and a damaged one is refused")
  func chunks() throws {
    let workshop = try Workshop()
    let (library, _, second) = try workshop.twoSnapshots()
    let segment = second.manifest.segments[1]
    let chunk = segment.chunks[2]
    #expect(library.hasChunk(chunk.digest) && !library.hasChunk(Digest(of: [1])))
    #expect(try library.chunk(chunk.digest).map { Digest(of: $0) } == chunk.digest)
    #expect(try library.chunk(Digest(of: [1])) == nil)
    let only = try #require(second.manifest.segments[0].chunks.last)
    let path = workshop.path("origin/segments/\(second.manifest.segments[0].digest.hex).segment")
    try SystemDisk().truncate(path, to: 10)
    #expect(refusal { _ = try library.chunk(only.digest) }?.code == .truncated)
  }

  @Test("an open snapshot gives its segments by kind and name")
  func openSegments() throws {
    let workshop = try Workshop()
    let library = try workshop.library("origin")
    let same = noise(500, seed: 1)
    try workshop.build(
      1, into: library,
      segments: [("vectors", "base", same), ("vectors", "tail", same), ("policy", "all", [1])])
    let open = try library.open(1)
    #expect(open.segments(kind: "vectors").map(\.name) == ["base", "tail"])
    #expect(copied(try open.segment(kind: "policy", name: "all")) == [1])
    #expect(refusal { _ = try open.segment(kind: "policy", name: "base") }?.code == .unreadable)
    #expect(
      try workshop.files("origin").filter { $0.hasPrefix("segments") }.count == 2,
      "the same bytes are one file")
  }

  @Test("a manifest under another name, or by a key that is no longer trusted, is damaged and stays")
  func damagedManifests() throws {
    let workshop = try Workshop()
    try _ = workshop.twoSnapshots()
    try FileManager.default.moveItem(
      atPath: workshop.path("origin/manifests/2.manifest"),
      toPath: workshop.path("origin/manifests/3.manifest"))
    let library = try workshop.library("origin")
    #expect(library.damaged.map(\.refusal.code) == [.malformed])
    #expect(library.snapshots.map(\.sequence) == [1])
    let stranger = try SnapshotLibrary(
      directory: workshop.path("origin"), disk: SystemDisk(), trusted: [PrivateKey.generate().publicKey])
    #expect(stranger.damaged.map(\.refusal.code) == [.untrustedKey, .untrustedKey])
    #expect(stranger.snapshots.isEmpty)
    #expect(try workshop.library("origin").open(1).sequence == 1)
    try library.prune(keeping: 1)
    #expect(library.damaged.isEmpty)
    let first = try #require(library.snapshot(1))
    #expect(try workshop.leftovers("origin", besides: [first]) == [])
  }
}

@Suite("Rollback orders")
struct RollbackTests {
  private struct Scene {
    let workshop: Workshop
    let library: SnapshotLibrary
    let versions: [VerifiedManifest]

    /// Sequences 1 to 3 on the disk, 3 current.
    init() throws {
      workshop = try Workshop()
      library = try workshop.library("replica")
      var versions: [VerifiedManifest] = []
      for sequence in UInt64(1)...3 {
        versions.append(
          try workshop.build(
            sequence, into: library, segments: [("vectors", "base", noise(900, seed: sequence))]))
      }
      self.versions = versions
      try library.setCurrent(sequence: 3, digest: versions[2].digest)
    }

    func order(
      from: UInt64, to: UInt64, region: String = "", issued: Int64 = 0, digest: Digest? = nil,
      key: PrivateKey? = nil
    ) -> SignedBytes {
      let at = workshop.now.advanced(bySeconds: issued)
      let order = RollbackOrder(
        region: region, fromSequence: from, toSequence: to, toDigest: digest ?? versions[Int(to) - 1].digest,
        issued: at, expires: at.advanced(bySeconds: 600))
      return SignedBytes(signing: order.bytes, purpose: .rollback, key: key ?? workshop.key)
    }

    func refused(_ order: SignedBytes, after seconds: Int64 = 0) -> Refusal.Code? {
      refusal { try library.obey(order, region: "north", now: workshop.now.advanced(bySeconds: seconds)) }?
        .code
    }
  }

  @Test("an order that is not for us, not now, not signed or not possible is refused and changes nothing")
  func refusedOrders() throws {
    let scene = try Scene()
    let before = try scene.workshop.fingerprint("replica")
    #expect(scene.refused(scene.order(from: 3, to: 2, key: .generate())) == .untrustedKey)
    var forged = scene.order(from: 3, to: 2)
    forged.payload[3] ^= 1
    #expect(scene.refused(forged) == .badSignature)
    let payload = scene.order(from: 3, to: 2).payload
    let manifest = SignedBytes(signing: payload, purpose: .manifest, key: scene.workshop.key)
    #expect(scene.refused(manifest) == .badSignature)
    let garbage = SignedBytes(signing: [1, 2, 3], purpose: .rollback, key: scene.workshop.key)
    #expect(scene.refused(garbage) == .malformed)
    #expect(scene.refused(scene.order(from: 3, to: 2, region: "south")) == .unreadable)
    #expect(scene.refused(scene.order(from: 3, to: 2), after: 600) == .expired)
    #expect(scene.refused(scene.order(from: 3, to: 2, issued: 301)) == .notYetValid)
    #expect(scene.refused(scene.order(from: 2, to: 1)) == .olderSequence)
    #expect(scene.refused(scene.order(from: 3, to: 3)) == .malformed)
    #expect(scene.refused(scene.order(from: 9, to: 8, digest: Digest(of: [1]))) == .truncated)
    #expect(scene.refused(scene.order(from: 3, to: 2, digest: Digest(of: [1]))) == .sequenceConflict)
    #expect(try scene.workshop.fingerprint("replica") == before)
    #expect(scene.library.state.current?.sequence == 3)
  }

  @Test("a rollback holds over a restart, and what was rolled back from does not come back by itself")
  func withdrawn() throws {
    let scene = try Scene()
    try scene.library.obey(
      scene.order(from: 3, to: 1, region: "north"), region: "north", now: scene.workshop.now)
    for library in [scene.library, try scene.workshop.library("replica")] {
      #expect(library.state.current?.sequence == 1)
      #expect(library.state.floor?.sequence == 1)
      for withdrawn in scene.versions[1...] {
        #expect(library.state.isWithdrawn(withdrawn.sequence))
        let found = refusal { try library.setCurrent(sequence: withdrawn.sequence, digest: withdrawn.digest) }
        #expect(found?.code == .refusedBefore)
        #expect(
          refusal { _ = try library.verify(withdrawn.envelope, now: scene.workshop.now) }?.code
            == .refusedBefore)
      }
      try library.setCurrent(sequence: 1, digest: scene.versions[0].digest)
    }
  }

  @Test("after a rollback the next publish is taken, also after a restart, and the withdrawn stay out")
  func goesOn() throws {
    let scene = try Scene()
    try scene.library.obey(scene.order(from: 3, to: 1), region: "north", now: scene.workshop.now)
    let fourth = try scene.workshop.build(
      4, into: scene.library, segments: [("vectors", "base", noise(900, seed: 9))])
    let library = try scene.workshop.library("replica")
    #expect(library.state.floor?.sequence == 4 && library.state.current?.sequence == 1)
    #expect(
      refusal { try library.setCurrent(sequence: 3, digest: scene.versions[2].digest) }?.code
        == .refusedBefore)
    try library.setCurrent(sequence: 4, digest: fourth.digest)
    #expect(try scene.workshop.library("replica").state.current?.sequence == 4)
  }

  @Test("an order obeyed again changes nothing, and an older one is refused")
  func replayed() throws {
    let scene = try Scene()
    let order = scene.order(from: 3, to: 2, issued: 10)
    try scene.library.obey(order, region: "north", now: scene.workshop.now)
    let fourth = try scene.workshop.build(
      4, into: scene.library, segments: [("vectors", "base", noise(900, seed: 9))])
    try scene.library.setCurrent(sequence: 4, digest: fourth.digest)
    let state = scene.library.state
    #expect(scene.refused(order) == nil)
    #expect(scene.library.state == state)
    #expect(scene.refused(scene.order(from: 4, to: 1, issued: 9)) == .refusedBefore)
    #expect(scene.refused(scene.order(from: 4, to: 1, issued: 11)) == nil)
  }

  @Test("an operator's order brings a withdrawn version back")
  func forward() throws {
    let scene = try Scene()
    try scene.library.obey(scene.order(from: 3, to: 1), region: "north", now: scene.workshop.now)
    try scene.library.obey(scene.order(from: 1, to: 3, issued: 1), region: "north", now: scene.workshop.now)
    #expect(scene.library.state.current?.sequence == 3)
    #expect(!scene.library.state.isWithdrawn(3))
    try scene.library.setCurrent(sequence: 3, digest: scene.versions[2].digest)
  }

  @Test("an order that the disk did not take was not obeyed")
  func fullDisk() throws {
    let scene = try Scene()
    let fourth = try scene.workshop.build(
      4, into: scene.library, segments: [("vectors", "base", noise(900, seed: 9))])
    let full = try scene.workshop.library("replica", disk: FaultDisk(.full, at: 1))
    let before = full.state
    #expect(
      refusal { try full.obey(scene.order(from: 3, to: 1), region: "north", now: scene.workshop.now) }?.code
        == .diskFull)
    #expect(full.state == before)
    #expect(refusal { try full.setCurrent(sequence: 4, digest: fourth.digest) }?.code == .diskFull)
    #expect(try scene.workshop.library("replica").state == before)
  }
}
