import Base
import Features
import Foundation
import Synchronization
import Testing

/// Takes what a log delivers.
final class Delivered: Sendable {
  private let list = Mutex<[Event]>([])
  func take(_ events: [Event]) { list.withLock { $0 += events } }
  var events: [Event] { list.withLock { $0 } }
}

func open(
  _ path: String, disk: any Disk = SystemDisk(), time: any TimeSource = ManualTime(now: testNow),
  deliver: Delivered? = nil, _ change: (inout EmbeddedEventLog.Options) -> Void = { _ in }
) throws -> EmbeddedEventLog {
  var options = EmbeddedEventLog.Options()
  change(&options)
  return try EmbeddedEventLog(
    opening: path, disk: disk, time: time, options: options, deliver: { deliver?.take($0) })
}

func replayed(_ log: EmbeddedEventLog, from position: UInt64 = 0) throws -> [Event] {
  var all: [Event] = []
  var last = position
  try log.replay(from: position) { (events, next) throws(Fault) in
    all += events
    last = next
  }
  #expect(all.isEmpty || last == log.end)
  return all
}

@Suite("EmbeddedEventLog")
struct EmbeddedEventLogTests {
  @Test("what was acknowledged is replayed in order, before and after a restart")
  func roundTrip() async throws {
    let room = try Room()
    let events = (0..<3000).map { event("e\($0)", title: "t\($0 % 7)", secondsAgo: Int64($0)) }
    let log = try open(room.path)
    #expect(log.opening == EmbeddedEventLog.Opening())
    #expect(try await log.append([]) == RecordReceipt(acceptedCount: 0, duplicateCount: 0, position: 0))
    for start in stride(from: 0, to: 3000, by: 500) {
      let receipt = try await log.append(Array(events[start..<(start + 500)]))
      #expect(
        receipt == RecordReceipt(acceptedCount: 500, duplicateCount: 0, position: UInt64(start) + 500))
    }
    #expect(try replayed(log) == events)
    #expect(try replayed(log, from: 2500) == Array(events[2500...]))
    #expect(try replayed(log, from: 3000).isEmpty)
    #expect(thrown { _ = try replayed(log, from: 3001) }?.code == .outOfRange)
    await log.close()

    let again = try open(room.path)
    #expect(again.opening.end == 3000)
    #expect(again.opening.cutByteCount == 0)
    #expect(again.opening.knownIDCount == 3000)
    #expect(try replayed(again) == events)
    await again.close()
  }

  @Test(
    "an event whose id is known is acknowledged and not recorded: in one append, across appends and restarts")
  func duplicates() async throws {
    let room = try Room()
    let delivered = Delivered()
    let log = try open(room.path, deliver: delivered)
    let first = try await log.append([event("a"), event("b"), event("a")])
    #expect(first == RecordReceipt(acceptedCount: 3, duplicateCount: 1, position: 2))
    let second = try await log.append([event("b"), event("c")])
    #expect(second == RecordReceipt(acceptedCount: 2, duplicateCount: 1, position: 3))
    #expect(delivered.events.map(\.id) == ["a", "b", "c"])
    await log.close()

    let again = try open(room.path, deliver: delivered)
    let third = try await again.append([event("a"), event("b"), event("c")])
    #expect(third == RecordReceipt(acceptedCount: 3, duplicateCount: 3, position: 3))
    #expect(try replayed(again).map(\.id) == ["a", "b", "c"])
    #expect(delivered.events.count == 3)
    await again.close()
  }

  @Test("ids are known across files, and the window of known ids is bounded, the same after a restart")
  func boundedWindow() async throws {
    let room = try Room()
    let options: (inout EmbeddedEventLog.Options) -> Void = {
      $0.segmentByteCountMax = 300
      $0.knownIDCountMax = 10
    }
    let log = try open(room.path, options)
    for index in 0..<30 { _ = try await log.append([event("e\(index)")]) }
    #expect(try await log.append([event("e20")]).duplicateCount == 1)
    await log.close()

    let again = try open(room.path, options)
    #expect(again.opening.segmentCount > 3)
    #expect(again.opening.knownIDCount == 10)
    for index in 20..<30 { #expect(try await again.append([event("e\(index)")]).duplicateCount == 1) }
    #expect(try await again.append([event("e19")]).duplicateCount == 0)
    await again.close()
  }

  @Test("appends that wait while a sync runs share the next one")
  func groupCommit() async throws {
    let room = try Room()
    let disk = FaultyDisk()
    let log = try open(room.path, disk: disk)
    _ = try await log.append([event("before")])
    let before = disk.syncCount
    disk.hold()
    try await withThrowingTaskGroup(of: RecordReceipt.self) { tasks in
      tasks.addTask { try await log.append([event("first")]) }
      try await eventually("the first append syncs") { disk.heldCount == 1 }
      for index in 0..<200 { tasks.addTask { try await log.append([event("e\(index)")]) } }
      try await eventually("all others wait") { log.queuedEventCount == 201 }
      // Nothing is acknowledged, nor readable, before it is durable.
      #expect(log.end == 1)
      disk.release()
      var positions: Set<UInt64> = []
      for try await receipt in tasks { positions.insert(receipt.position) }
      #expect(positions == Set(2...202))
    }
    #expect(disk.syncCount - before == 2)
    #expect(log.queuedEventCount == 0)
    #expect(try replayed(log).count == 202)
    await log.close()
  }

  @Test("a full queue refuses, and takes appends again when the disk has caught up")
  func boundedQueue() async throws {
    let room = try Room()
    let disk = FaultyDisk()
    let log = try open(room.path, disk: disk) { $0.queuedEventCountMax = 10 }
    _ = try await log.append([event("before")])
    disk.hold()
    let first = Task { try await log.append([event("first")]) }
    try await eventually("the first append syncs") { disk.heldCount == 1 }
    let second = Task { try await log.append((0..<9).map { event("s\($0)") }) }
    try await eventually("the queue is full") { log.queuedEventCount == 10 }
    // Asked aside, so that an append that is wrongly taken fails the test rather than holding it.
    let refusal = Mutex<Fault?>(nil)
    let third = Task {
      let fault = await thrown { _ = try await log.append([event("third")]) }
      refusal.withLock { $0 = fault }
    }
    try? await eventually("the third append is refused") { refusal.withLock { $0 != nil } }
    #expect(refusal.withLock { $0 }?.code == .resourceExhausted)
    disk.release()
    await third.value
    #expect(try await first.value.acceptedCount == 1)
    #expect(try await second.value.acceptedCount == 9)
    #expect(try await log.append([event("third")]).duplicateCount == 0)
    #expect(
      await thrown { _ = try await log.append((0..<11).map { event("x\($0)") }) }?.code == .resourceExhausted)
    await log.close()
  }

  @Test("each new event is delivered once, in the log's order, before its append returns")
  func delivery() async throws {
    let room = try Room()
    let delivered = Delivered()
    let log = try open(room.path, deliver: delivered)
    try await withThrowingTaskGroup(of: Void.self) { tasks in
      for writer in 0..<8 {
        tasks.addTask {
          for index in 0..<50 {
            // Every id is sent by two writers.
            let id = "\(writer / 2)-\(index)"
            _ = try await log.append([event(id)])
            #expect(delivered.events.contains { $0.id == id })
          }
        }
      }
      try await tasks.waitForAll()
    }
    #expect(delivered.events.count == 200)
    #expect(try replayed(log) == delivered.events)
    await log.close()
  }

  @Test("a second writer on the directory is refused until the first has closed")
  func oneWriter() async throws {
    let room = try Room()
    let log = try open(room.path)
    let refusal = try #require(thrown { _ = try open(room.path) })
    #expect(refusal.code == .failedPrecondition)
    #expect(refusal.message.contains("another writer"))
    let last = Task { try await log.append([event("e")]) }
    try await eventually("the append is in") { log.queuedEventCount == 1 || log.end == 1 }
    await log.close()
    #expect(try await last.value.acceptedCount == 1)
    #expect(await thrown { _ = try await log.append([event("late")]) }?.code == .unavailable)
    let again = try open(room.path)
    #expect(again.opening.end == 1)
    await again.close()
  }

  @Test("ids that the format can't hold are refused before anything is written")
  func badIDs() async throws {
    let room = try Room()
    let log = try open(room.path)
    let long = String(repeating: "x", count: 129)
    #expect(await thrown { _ = try await log.append([event("a"), event(long)]) }?.code == .invalidArgument)
    #expect(await thrown { _ = try await log.append([event("a", title: long)]) }?.code == .invalidArgument)
    #expect(await thrown { _ = try await log.append([event("")]) }?.code == .invalidArgument)
    #expect(log.end == 0)
    await log.close()
  }

  @Test("the oldest files go when the log is larger than allowed, and positions go on")
  func retentionBySize() async throws {
    let room = try Room()
    let options: (inout EmbeddedEventLog.Options) -> Void = {
      $0.segmentByteCountMax = 1000
      $0.retainedByteCountMax = 5000
    }
    let log = try open(room.path, options)
    for index in 0..<500 {
      _ = try await log.append([event("e\(index)")])
      // One file and one group above what is allowed, as documented.
      #expect(log.byteCount <= 5000 + 1000 + 100)
    }
    let kept = try replayed(log)
    #expect(log.first > 300 && log.first < 500)
    #expect(kept.map(\.id) == (Int(log.first)..<500).map { "e\($0)" })
    #expect(try replayed(log, from: 498).map(\.id) == ["e498", "e499"])
    let files = try FileManager.default.contentsOfDirectory(atPath: room.path).filter { $0.hasSuffix(".log") }
    let sizes = try files.map { try bytes(room.path + "/" + $0).count }
    #expect(sizes.reduce(0, +) == log.byteCount)
    let first = log.first
    await log.close()
    let again = try open(room.path, options)
    #expect(again.opening.first == first)
    #expect(again.opening.end == 500)
    await again.close()
  }

  @Test("files go when all their events are older than allowed, while running and at opening")
  func retentionByAge() async throws {
    let room = try Room()
    let time = ManualTime(now: testNow)
    let options: (inout EmbeddedEventLog.Options) -> Void = {
      $0.segmentByteCountMax = 1
      $0.retainedDays = 10
    }
    let log = try open(room.path, time: time, options)
    // Every append begins a file.
    for index in 0..<5 {
      _ = try await log.append([event("e\(index)")])
      time.advance(milliseconds: 3 * 86_400_000)
    }
    // e0's file was closed on day 3; today is day 15.
    _ = try await log.append([event("e5")])
    #expect(log.first == 1)
    time.advance(milliseconds: 4 * 86_400_000)
    await log.close()
    // Today is day 19: e1's file was closed on day 6.
    let again = try open(room.path, time: time, options)
    #expect(again.first == 2)
    #expect(try replayed(again).map(\.id) == ["e2", "e3", "e4", "e5"])
    await again.close()
  }
}
