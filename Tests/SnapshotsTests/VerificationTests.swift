import Base
import Snapshots
import Testing

@Suite("Verification")
struct VerificationTests {
  /// A replica that took 1 and 2 of `origin`, and a manifest like 2's for sequence 3.
  private func scene() throws -> (Workshop, SnapshotLibrary, Manifest) {
    let workshop = try Workshop()
    let (origin, _, second) = try workshop.twoSnapshots()
    let library = try workshop.library("replica")
    try library.copy(1, from: origin, now: workshop.now)
    try library.copy(2, from: origin, now: workshop.now)
    try library.setCurrent(sequence: 2, digest: second.digest)
    var third = second.manifest
    third.sequence = 3
    third.parentSequence = 2
    third.parentDigest = second.digest
    return (workshop, library, third)
  }

  private func refused(
    _ envelope: SignedBytes, by library: SnapshotLibrary, of workshop: Workshop, now: Timestamp? = nil
  ) throws -> Refusal.Code? {
    let before = try workshop.fingerprint("replica")
    let found = refusal { _ = try library.verify(envelope, now: now ?? workshop.now) }
    #expect(try workshop.fingerprint("replica") == before, "nothing is kept before it is verified")
    #expect(found?.place.isEmpty != true)
    return found?.code
  }

  @Test("each cause is refused with its own code, and nothing on the disk changes")
  func codes() throws {
    let (workshop, library, third) = try scene()
    #expect(try refused(workshop.sign(third), by: library, of: workshop) == nil)
    #expect(try refused(workshop.sign(third, key: .generate()), by: library, of: workshop) == .untrustedKey)

    var stolen = workshop.sign(third, key: .generate())
    stolen.keyID = workshop.key.publicKey.id
    #expect(try refused(stolen, by: library, of: workshop) == .badSignature)
    let order = SignedBytes(signing: third.bytes, purpose: .rollback, key: workshop.key)
    #expect(try refused(order, by: library, of: workshop) == .badSignature, "signed for another purpose")
    let garbage = SignedBytes(signing: [1, 2, 3], purpose: .manifest, key: workshop.key)
    #expect(try refused(garbage, by: library, of: workshop) == .malformed)
    let huge = SignedBytes(
      payload: [UInt8](repeating: 0, count: Limits.manifestByteCountMax + 1), signature: [], keyID: "")
    #expect(try refused(huge, by: library, of: workshop) == .limitExceeded)

    let later = workshop.now.advanced(bySeconds: 86_400)
    #expect(try refused(workshop.sign(third), by: library, of: workshop, now: later) == .expired)
    let earlier = workshop.now.advanced(bySeconds: -301)
    #expect(try refused(workshop.sign(third), by: library, of: workshop, now: earlier) == .notYetValid)
    let skewed = workshop.now.advanced(bySeconds: -299)
    #expect(try refused(workshop.sign(third), by: library, of: workshop, now: skewed) == nil)

    var changed = third
    changed.readerVersionMin = Manifest.readerVersion + 1
    #expect(try refused(workshop.sign(changed), by: library, of: workshop) == .newerReader)
    changed = third
    changed.sequence = 2
    changed.parentSequence = 1
    #expect(try refused(workshop.sign(changed), by: library, of: workshop) == .sequenceConflict)
    let first = try #require(library.snapshot(1))
    #expect(try refused(first.envelope, by: library, of: workshop) == .olderSequence)
    let second = try #require(library.snapshot(2))
    #expect(try refused(second.envelope, by: library, of: workshop) == nil, "the same again")
  }

  @Test("a sequence conflict is seen after the snapshot was pruned, and a lower sequence after a restart")
  func rememberedByTheFloor() throws {
    let (workshop, library, third) = try scene()
    #expect(try library.prune(keeping: 0) == [1])
    let reopened = try workshop.library("replica")
    var conflicting = third
    conflicting.sequence = 2
    conflicting.parentSequence = 1
    #expect(try refused(workshop.sign(conflicting), by: reopened, of: workshop) == .sequenceConflict)
    var older = third
    older.sequence = 1
    older.parentSequence = 0
    older.parentDigest = nil
    #expect(try refused(workshop.sign(older), by: reopened, of: workshop) == .olderSequence)
  }

  @Test("a refused version is not tried again, not even after a restart, and its files go")
  func refusedBefore() throws {
    let (workshop, library, _) = try scene()
    let builder = try workshop.library("builder")
    let third = try workshop.build(3, into: builder, segments: [("vectors", "base", noise(4000, seed: 30))])
    try library.copy(3, from: builder, now: workshop.now)
    let why = Refusal(.goldenMismatch, at: "golden/all query 3", "is not answered as it was built")
    try library.recordRefused(third.envelope, why)
    #expect(library.snapshot(3) == nil)
    for library in [library, try workshop.library("replica")] {
      #expect(try refused(third.envelope, by: library, of: workshop) == .refusedBefore)
      #expect(refusal { _ = try library.beginStaging(third) }?.code == .refusedBefore)
      #expect(library.state.refused == [.init(sequence: 3, digest: third.digest, refusal: why)])
      let kept = [1, 2].compactMap { library.snapshot($0) }
      #expect(try workshop.leftovers("replica", besides: kept) == [])
    }
  }

  @Test("a refusal that depends on the clock, the keys or the disk is shown and bars nothing")
  func passingRefusals() throws {
    let (workshop, library, third) = try scene()
    let envelope = workshop.sign(third)
    for code in [Refusal.Code.expired, .untrustedKey, .badSignature, .newerReader, .diskFull, .olderSequence]
    {
      try library.recordRefused(envelope, Refusal(code, at: "somewhere", "for now"))
      #expect(library.state.refused.last?.refusal.code == code)
      #expect(library.state.refused.count == 1)
      #expect(try refused(envelope, by: library, of: workshop) == nil)
    }
    // A forger with the right payload and a wrong signature must not bar the right one.
    var forged = envelope
    forged.signature[0] ^= 1
    let why = try #require(refusal { _ = try library.verify(forged, now: workshop.now) })
    try library.recordRefused(forged, why)
    #expect(try refused(envelope, by: library, of: workshop) == nil)
  }

  @Test("the refused are bounded: those that bar nothing go first, then the lowest sequences")
  func boundedRefusals() throws {
    let (workshop, library, third) = try scene()
    var barred = third
    for number in 0..<Limits.refusedVersionCountMax {
      barred.sequence = 100 + UInt64(number)
      try library.recordRefused(
        workshop.sign(barred),
        Refusal(number == 5 ? .expired : .corrupt, at: "x", String(repeating: "é", count: 900)))
    }
    for sequence in [UInt64(500), 501] {
      barred.sequence = sequence
      try library.recordRefused(workshop.sign(barred), Refusal(.corrupt, at: "x", "y"))
    }
    let sequences = try workshop.library("replica").state.refused.map(\.sequence)
    #expect(sequences.count == Limits.refusedVersionCountMax)
    #expect(!sequences.contains(105) && !sequences.contains(100))
    #expect(sequences.contains(101) && sequences.contains(501))
  }
}
