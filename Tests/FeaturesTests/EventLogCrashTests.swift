import Base
import Features
import Foundation
import Testing

/// What a log finds when its process or its machine went away, and what it makes of it.
@Suite("EventLog after a crash")
struct EventLogCrashTests {
  /// A directory with one file of these groups, each made durable by itself; and where each group begins in the file.
  private func written(_ groups: [[Event]], in room: Room) async throws -> (path: String, starts: [Int]) {
    let log = try open(room.path)
    var starts: [Int] = []
    for group in groups {
      starts.append(max(40, log.byteCount))
      _ = try await log.append(group)
    }
    starts.append(log.byteCount)
    await log.close()
    return (room.path + "/events-00000000000000000000.log", starts)
  }

  private func groups(_ sizes: [Int]) -> [[Event]] {
    sizes.enumerated().map { index, size in (0..<size).map { event("g\(index)-\($0)") } }
  }

  @Test("a file that ends anywhere within the last group is cut to the events before, and appends go on")
  func everyPrefix() async throws {
    let room = try Room()
    let groups = groups([1, 2, 3, 2])
    let (path, starts) = try await written(groups, in: room)
    let whole = try bytes(path)
    #expect(whole.count == starts[4])
    let acknowledged = groups.dropLast().joined().map(\.id)
    for count in starts[3]..<whole.count {
      try put(Array(whole[..<count]), path)
      let log = try open(room.path)
      let kept = try replayed(log).map(\.id)
      // Of the last group, which may have been unacknowledged, whole records stay.
      #expect(kept == acknowledged || kept == acknowledged + ["g3-0"])
      #expect(log.opening.cutByteCount == count - log.byteCount)
      #expect(log.opening.cutByteCount == 0 || log.opening.cutPath == path)
      #expect(try bytes(path).count == log.byteCount)
      let receipt = try await log.append(groups[3] + [event("after")])
      #expect(receipt.duplicateCount == kept.count - acknowledged.count)
      await log.close()
      let again = try open(room.path)
      #expect(again.opening.cutByteCount == 0)
      #expect(try replayed(again).map(\.id) == acknowledged + ["g3-0", "g3-1", "after"])
      await again.close()
    }
  }

  @Test("a file that ends within its header, when no other was begun, is begun again")
  func everyPrefixOfTheHeader() async throws {
    let room = try Room()
    let (path, _) = try await written(groups([1]), in: room)
    let whole = try bytes(path)
    for count in 0...40 {
      try put(Array(whole[..<count]), path)
      let log = try open(room.path)
      #expect(log.opening.end == 0)
      #expect(log.opening.cutByteCount == (count < 40 ? count : 0))
      _ = try await log.append([event("new")])
      #expect(try replayed(log).map(\.id) == ["new"])
      await log.close()
    }
  }

  @Test(
    "any bit flipped where a later group follows is data loss, with file and offset; in the last group it is a cut"
  )
  func everyByteFlipped() async throws {
    let room = try Room()
    let groups = groups([1, 2, 1])
    let (path, starts) = try await written(groups, in: room)
    let whole = try bytes(path)
    for offset in 0..<whole.count {
      var flipped = whole
      flipped[offset] ^= 1 << UInt8(offset % 8)
      try put(flipped, path)
      // The last four bytes of the header are zeros that mean nothing.
      if (36..<40).contains(offset) { continue }
      if offset < starts[2] {
        let fault = try #require(thrown { _ = try open(room.path) }, "offset \(offset)")
        #expect(fault.code == .dataLoss)
        let named = try #require(fault.message.firstMatch(of: /damaged at offset (\d+),/)?.1)
        let place = try #require(Int(named))
        #expect(fault.message.contains(path))
        // The record's beginning is named, which is at or before the byte.
        #expect(place <= offset && (offset < 40 ? place == 0 : place >= 40))
        #expect(try bytes(path) == flipped, "damage is left as it is, for whoever repairs it")
      } else {
        let log = try open(room.path)
        #expect(log.opening.cutByteCount == whole.count - starts[2])
        #expect(try replayed(log).map(\.id) == ["g0-0", "g1-0", "g1-1"])
        await log.close()
      }
    }
  }

  @Test(
    "a group that was written in part, its pages in any order, is a torn tail and not damage",
    arguments: 0..<40)
  func pagesInAnyOrder(_ seed: UInt64) async throws {
    print("seed \(seed)")
    var random = SplitMix(seed: seed)
    let room = try Room()
    let sizes = (0..<6).map { _ in Int.random(in: 1...12, using: &random) }
    let groups = groups(sizes)
    let (path, starts) = try await written(groups, in: room)
    var image = try bytes(path)
    // Only the last group can have been on its way. Each piece of it arrived, or is zeros or old rubbish.
    for start in stride(from: starts[5], to: image.count, by: 64) {
      let piece = start..<min(start + 64, image.count)
      switch Int.random(in: 0..<3, using: &random) {
      case 0: for offset in piece { image[offset] = 0 }
      case 1: for offset in piece { image[offset] = UInt8.random(in: 0...255, using: &random) }
      default: break
      }
    }
    if Bool.random(using: &random) {
      image += [UInt8](repeating: 0, count: Int.random(in: 1...500, using: &random))
    }
    try put(image, path)
    let log = try open(room.path)
    let kept = try replayed(log).map(\.id)
    let sent = groups.joined().map(\.id)
    #expect(kept.count >= sizes.dropLast().reduce(0, +))
    #expect(kept == Array(sent.prefix(kept.count)))
    let receipt = try await log.append(groups[5])
    #expect(receipt.acceptedCount - receipt.duplicateCount == sent.count - kept.count)
    #expect(try replayed(log).map(\.id) == sent)
    await log.close()
  }

  @Test(
    "damage in a closed file is data loss: at opening within the window of known ids, else when it is replayed"
  )
  func damageInAnOlderFile() async throws {
    let room = try Room()
    let options: (inout EmbeddedEventLog.Options) -> Void = {
      $0.segmentByteCountMax = 100
      $0.knownIDCountMax = 4
    }
    let log = try open(room.path, options)
    for index in 0..<12 { _ = try await log.append([event("e\(index)")]) }
    await log.close()
    let files = try FileManager.default.contentsOfDirectory(atPath: room.path).filter { $0.hasSuffix(".log") }
      .sorted()
    try #require(files.count >= 4)
    for (index, file) in files.dropLast().enumerated() {
      let path = room.path + "/" + file
      let whole = try bytes(path)
      var flipped = whole
      flipped[whole.count - 1] ^= 1
      try put(flipped, path)
      let fault = thrown {
        let log = try open(room.path, options)
        #expect(index < files.count - 2)
        _ = try replayed(log)
      }
      #expect(fault?.code == .dataLoss)
      #expect(fault?.message.contains(path) == true)
      // Its last record, of 51 bytes, cut off cleanly: the next file's name says that it is missing.
      try put(Array(whole.dropLast(51)), path)
      #expect(
        thrown { _ = try replayed(try open(room.path, options)) }?.code == .dataLoss)
      try put(whole, path)
    }
    // A file that is gone leaves a gap, unless all older ones are gone too.
    try FileManager.default.removeItem(atPath: room.path + "/" + files[1])
    #expect(thrown { _ = try replayed(try open(room.path, options)) }?.code == .dataLoss)
    try FileManager.default.removeItem(atPath: room.path + "/" + files[0])
    let rest = try open(room.path, options)
    #expect(try replayed(rest).last?.id == "e11")
    await rest.close()
  }

  @Test(
    "a next file whose header never became whole goes, and positions go on, even when retention took all others"
  )
  func tornNextFile() async throws {
    for isAlone in [false, true] {
      for headerByteCount in [0, 7, 39] {
        let room = try Room()
        let log = try open(room.path) { $0.segmentByteCountMax = 1 }
        for index in 0..<3 { _ = try await log.append([event("e\(index)")]) }
        await log.close()
        let next = room.path + "/events-00000000000000000003.log"
        try put([UInt8](repeating: 0, count: headerByteCount), next)
        if isAlone {
          for index in 0..<3 {
            try FileManager.default.removeItem(atPath: room.path + "/events-0000000000000000000\(index).log")
          }
        }
        let again = try open(room.path)
        #expect(again.opening.cutPath == next)
        #expect(again.opening.end == 3)
        #expect(again.end == 3)
        #expect(try await again.append([event("e3")]).position == 4)
        #expect(try replayed(again).map(\.id) == (isAlone ? ["e3"] : ["e0", "e1", "e2", "e3"]))
        await again.close()
      }
    }
  }

  @Test("files of other names are left alone, and a directory in the file's place is an error")
  func strangers() async throws {
    let room = try Room()
    for name in [
      "notes.txt", "events-1.log", "events-99999999999999999999.log", "events-0000000000000000000x.log",
    ] {
      try put([1, 2, 3], room.path + "/" + name)
    }
    let log = try open(room.path)
    _ = try await log.append([event("e")])
    await log.close()
    #expect(try bytes(room.path + "/notes.txt") == [1, 2, 3])
    #expect(thrown { _ = try open(room.path + "/notes.txt") }?.code == .unavailable)
  }

  @Test("whole records that nobody synced are synced at opening, before they are known ids")
  func syncsAtOpening() async throws {
    let room = try Room()
    _ = try await written(groups([2]), in: room)
    let disk = FaultyDisk()
    let log = try open(room.path, disk: disk)
    #expect(disk.syncCount == 1)
    await log.close()
    disk.change { $0.failsSync = true }
    #expect(thrown { _ = try open(room.path, disk: disk) }?.code == .unavailable)
  }
}
