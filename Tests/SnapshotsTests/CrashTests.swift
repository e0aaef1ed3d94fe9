import Base
import Snapshots
import Testing

@Suite("Crashes while staging")
struct CrashTests {
  /// Stages from `origin`, noting each chunk that was accepted.
  private func stage(
    _ version: VerifiedManifest, from origin: SnapshotLibrary, into library: SnapshotLibrary,
    now: Timestamp, accepted: inout [Digest]
  ) throws -> Staging.Counts {
    let staging = try library.beginStaging(try library.verify(version.envelope, now: now))
    for chunk in staging.missing {
      let bytes = try #require(try origin.chunk(chunk.digest))
      // Noted before, as it was fetched by then.
      accepted.append(chunk.digest)
      try staging.accept(chunk.digest, bytes)
    }
    try staging.finish()
    return staging.counts
  }

  @Test(
    "stopped at any change of the disk: never a half version, no leftovers, at most one chunk fetched twice")
  func stoppedAnywhere() throws {
    let workshop = try Workshop()
    let (origin, first, second) = try workshop.twoSnapshots()
    try workshop.library("template").copy(1, from: origin, now: workshop.now)
    var complete = 0
    for step in 1... {
      let name = "replica-\(step)"
      try workshop.copy("template", to: name)
      let disk = FaultDisk(.stop, at: step)
      var fetched: [Digest] = []
      let stopped = refusal {
        _ = try stage(
          second, from: origin, into: try workshop.library(name, disk: disk), now: workshop.now,
          accepted: &fetched)
      }
      guard disk.hasFailed else {
        #expect(stopped == nil)
        break
      }
      #expect(stopped?.code == .diskError || stopped == nil, "step \(step): \(String(describing: stopped))")

      let library = try workshop.library(name)
      #expect(library.damaged.isEmpty, "step \(step)")
      #expect(try library.open(1).digest == first.digest)
      if library.snapshot(2) != nil {
        complete += 1
        #expect(try library.open(2).digest == second.digest, "step \(step)")
      } else {
        var again: [Digest] = []
        let counts = try stage(second, from: origin, into: library, now: workshop.now, accepted: &again)
        #expect(counts.bytesFetched + counts.bytesReused == counts.bytesTotal)
        #expect(Set(again).intersection(fetched).count <= 1, "step \(step)")
      }
      #expect(try library.open(2).digest == second.digest)
      #expect(try workshop.leftovers(name, besides: [first, second]) == [], "step \(step)")
    }
    #expect(complete > 0, "no step came after the manifest")
  }

  @Test("a power cut at any change of the disk loses what was not synced, and never makes a half version")
  func powerCutAnywhere() throws {
    let workshop = try Workshop()
    let (origin, first, second) = try workshop.twoSnapshots()
    try workshop.library("template").copy(1, from: origin, now: workshop.now)
    for step in 1... {
      let name = "replica-\(step)"
      try workshop.copy("template", to: name)
      let disk = FaultDisk(.stop, at: step)
      var fetched: [Digest] = []
      let stopped = refusal {
        let library = try workshop.library(name, disk: disk)
        _ = try stage(second, from: origin, into: library, now: workshop.now, accepted: &fetched)
        try library.setCurrent(sequence: 2, digest: second.digest)
      }
      try disk.cutPower()
      let library = try workshop.library(name)
      #expect(library.damaged.isEmpty, "step \(step): \(library.damaged)")
      #expect(try library.open(1).digest == first.digest)
      if library.snapshot(2) != nil { #expect(try library.open(2).digest == second.digest, "step \(step)") }
      guard disk.hasFailed else {
        // What was confirmed is there.
        #expect(stopped == nil)
        #expect(library.state.current?.sequence == 2)
        #expect(library.snapshot(2) != nil)
        break
      }
      if library.state.current?.sequence == 2 { #expect(library.snapshot(2) != nil, "step \(step)") }
      var again: [Digest] = []
      if library.snapshot(2) == nil {
        _ = try stage(second, from: origin, into: library, now: workshop.now, accepted: &again)
      }
      #expect(try library.open(2).digest == second.digest)
      #expect(try workshop.leftovers(name, besides: [first, second]) == [], "step \(step)")
    }
  }

  @Test(
    "a disk that is full at any change: refused as full, nothing left of it, the snapshot before still opens")
  func fullAnywhere() throws {
    let workshop = try Workshop()
    let (origin, first, second) = try workshop.twoSnapshots()
    try workshop.library("template").copy(1, from: origin, now: workshop.now)
    try workshop.library("template").setCurrent(sequence: 1, digest: first.digest)
    for step in 1... {
      let name = "replica-\(step)"
      try workshop.copy("template", to: name)
      let before = try workshop.fingerprint(name)
      let disk = FaultDisk(.full, at: step)
      let library = try workshop.library(name, disk: disk)
      let live = try library.open(1)
      var fetched: [Digest] = []
      let found = refusal {
        _ = try stage(second, from: origin, into: library, now: workshop.now, accepted: &fetched)
      }
      guard disk.hasFailed else {
        #expect(found == nil)
        break
      }
      #expect(found?.code == .diskFull, "step \(step): \(String(describing: found))")
      #expect(found?.message.contains("free some space") == true)
      #expect(try workshop.fingerprint(name) == before, "step \(step)")
      #expect(try library.open(1).digest == live.digest)
      #expect(library.snapshot(2) == nil)
      // With room again, in the same process or the next.
      let reopened = try workshop.library(name)
      #expect(try workshop.fingerprint(name) == before, "step \(step)")
      #expect(try reopened.open(1).digest == first.digest)
      _ = try stage(second, from: origin, into: reopened, now: workshop.now, accepted: &fetched)
      #expect(try reopened.open(2).digest == second.digest)
    }
  }

  @Test("a build that the disk stops or fills at any change leaves the library as it was")
  func buildStoppedAnywhere() throws {
    let workshop = try Workshop()
    let origin = try workshop.library("template")
    let first = try workshop.build(1, into: origin, segments: [("vectors", "base", noise(3000, seed: 1))])
    let before = try workshop.fingerprint("template")
    for mode in [FaultDisk.Mode.stop, .full] {
      for step in 1... {
        let name = "built-\(mode)-\(step)"
        try workshop.copy("template", to: name)
        let disk = FaultDisk(mode, at: step)
        let found = refusal {
          let library = try workshop.library(name, disk: disk)
          try workshop.build(
            2, into: library, parent: first, segments: [("vectors", "base", noise(3000, seed: 2))])
        }
        let library = try workshop.library(name)
        guard disk.hasFailed else {
          #expect(found == nil && library.snapshot(2) != nil)
          break
        }
        #expect(library.damaged.isEmpty)
        if library.snapshot(2) == nil {
          #expect(try workshop.fingerprint(name) == before, "\(mode) \(step)")
        } else {
          #expect(mode == .stop)
          #expect(try library.open(2).sequence == 2)
        }
      }
    }
  }
}
