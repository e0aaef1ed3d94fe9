import Base
import Features
import Testing

@Suite("EventLog on a disk that fails")
struct EventLogFullDiskTests {
  @Test(
    "a full disk refuses the append, keeps what was acknowledged, and goes on when there is room",
    arguments: [0, 1, 23, 24, 49, 50, 65, 97])
  func full(_ room: Int) async throws {
    let directory = try Room()
    let disk = FaultyDisk()
    let log = try open(directory.path, disk: disk)
    _ = try await log.append([event("a"), event("b")])
    let byteCount = log.byteCount
    disk.change { $0.room = room }
    let refusal = try #require(await thrown { _ = try await log.append([event("c"), event("d")]) })
    #expect(refusal.code == .resourceExhausted)
    #expect(refusal.message.contains("disk is full"))
    #expect(log.end == 2)
    // The part that was written has gone, and with it the space that it took.
    #expect(try bytes(directory.path + "/events-00000000000000000000.log").count == byteCount)
    #expect(try replayed(log).map(\.id) == ["a", "b"])

    disk.change { $0.room = nil }
    let receipt = try await log.append([event("c"), event("d")])
    #expect(receipt == RecordReceipt(acceptedCount: 2, duplicateCount: 0, position: 4))
    await log.close()
    let again = try open(directory.path)
    #expect(again.opening.cutByteCount == 0)
    #expect(try replayed(again).map(\.id) == ["a", "b", "c", "d"])
    await again.close()
  }

  @Test("what was written in part and couldn't be cut is cut before the next append, and by an opening")
  func truncateFails() async throws {
    let directory = try Room()
    let disk = FaultyDisk()
    let log = try open(directory.path, disk: disk)
    _ = try await log.append([event("a")])
    disk.change {
      $0.room = 60
      $0.failsTruncate = true
    }
    #expect(await thrown { _ = try await log.append([event("b"), event("c")]) }?.code == .resourceExhausted)
    disk.change { $0.room = nil }
    #expect(await thrown { _ = try await log.append([event("b")]) }?.code == .unavailable)
    let crashed = try Room()
    let copy = try open(try directory.copied(to: crashed))
    #expect(copy.opening.cutByteCount > 0)
    // One whole record had arrived. It was never acknowledged, and may be there.
    #expect(try replayed(copy).map(\.id) == ["a", "b"])
    await copy.close()

    disk.change { $0.failsTruncate = false }
    #expect(
      try await log.append([event("c")]) == RecordReceipt(acceptedCount: 1, duplicateCount: 0, position: 2))
    #expect(try replayed(log).map(\.id) == ["a", "c"])
    await log.close()
    let again = try open(directory.path)
    #expect(again.opening.cutByteCount == 0)
    #expect(try replayed(again).map(\.id) == ["a", "c"])
    await again.close()
  }

  @Test("an append whose sync failed is not acknowledged, not delivered and not a known id")
  func syncFails() async throws {
    let directory = try Room()
    let disk = FaultyDisk()
    let delivered = Delivered()
    let log = try open(directory.path, disk: disk, deliver: delivered)
    _ = try await log.append([event("a")])
    disk.change { $0.failsSync = true }
    #expect(await thrown { _ = try await log.append([event("b")]) }?.code == .unavailable)
    #expect(delivered.events.map(\.id) == ["a"])
    #expect(try replayed(log).map(\.id) == ["a"])
    // A known id alone needs no disk.
    #expect(try await log.append([event("a")]).duplicateCount == 1)
    disk.change { $0.failsSync = false }
    #expect(try await log.append([event("b")]).duplicateCount == 0)
    #expect(delivered.events.map(\.id) == ["a", "b"])
    await log.close()
  }

  @Test(
    "a disk that has no room for the next file refuses, and the next file is begun when there is room",
    arguments: [0, 20, 39, 40, 60])
  func fullAtRoll(_ room: Int) async throws {
    let directory = try Room()
    let disk = FaultyDisk()
    let log = try open(directory.path, disk: disk) { $0.segmentByteCountMax = 1 }
    _ = try await log.append([event("a")])
    disk.change { $0.room = room }
    #expect(await thrown { _ = try await log.append([event("b")]) }?.code == .resourceExhausted)
    disk.change { $0.failsRemove = true }
    #expect(await thrown { _ = try await log.append([event("b")]) }?.code == .resourceExhausted)
    let crashed = try Room()
    let copy = try open(try directory.copied(to: crashed))
    #expect(try replayed(copy).map(\.id) == ["a"])
    #expect(try await copy.append([event("b")]).position == 2)
    await copy.close()
    disk.change {
      $0.room = nil
      $0.failsRemove = false
    }
    #expect(try await log.append([event("b")]).position == 2)
    #expect(try replayed(log).map(\.id) == ["a", "b"])
    await log.close()
  }

  @Test("a disk that is full at the first append of all is a clear refusal, and no obstacle later")
  func fullAtBirth() async throws {
    let directory = try Room()
    let disk = FaultyDisk()
    disk.change { $0.room = 10 }
    let log = try open(directory.path, disk: disk)
    #expect(await thrown { _ = try await log.append([event("a")]) }?.code == .resourceExhausted)
    disk.change { $0.room = nil }
    #expect(try await log.append([event("a")]).position == 1)
    await log.close()
  }

  @Test("no acknowledged event is lost, whatever the disk refuses", arguments: 0..<20)
  func randomFaults(_ seed: UInt64) async throws {
    print("seed \(seed)")
    var random = SplitMix(seed: seed)
    let directory = try Room()
    let disk = FaultyDisk()
    var log = try open(directory.path, disk: disk) { $0.segmentByteCountMax = 700 }
    var acknowledged: [String] = []
    for round in 0..<60 {
      disk.change {
        $0.room = Bool.random(using: &random) ? nil : Int.random(in: 0...400, using: &random)
        $0.failsSync = Int.random(in: 0..<6, using: &random) == 0
        $0.failsTruncate = Int.random(in: 0..<4, using: &random) == 0
        $0.failsRemove = Int.random(in: 0..<4, using: &random) == 0
      }
      let ids = (0..<Int.random(in: 1...4, using: &random)).map { "\(round)-\($0)" }
      if (try? await log.append(ids.map { event($0) })) != nil { acknowledged += ids }
      guard Int.random(in: 0..<8, using: &random) == 0 else { continue }
      await log.close()
      disk.change { $0 = FaultyDisk.State() }
      log = try open(directory.path, disk: disk) { $0.segmentByteCountMax = 700 }
      // An unacknowledged event may have survived; acknowledged ones must, in order.
      let known = Set(acknowledged)
      let kept = try replayed(log).map(\.id)
      #expect(kept.filter { known.contains($0) } == acknowledged)
      #expect(Set(kept).count == kept.count)
    }
    await log.close()
  }
}
