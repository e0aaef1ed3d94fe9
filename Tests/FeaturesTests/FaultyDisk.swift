import Base
import Dispatch
import Foundation
import Synchronization

/// The machine's disk, until a test says otherwise: it fills up, fails, or holds a sync until it is let go.
final class FaultyDisk: Disk {
  struct State {
    /// Bytes that still fit; `nil` for as many as the machine has.
    var room: Int?
    var failsSync = false
    var failsTruncate = false
    var failsRemove = false
    var isHeld = false
    var heldCount = 0
    var syncCount = 0
  }

  private let disk = SystemDisk()
  private let state = Mutex(State())
  private let gate = DispatchSemaphore(value: 0)

  func change(_ body: (inout State) -> Void) { state.withLock { body(&$0) } }
  var syncCount: Int { state.withLock { $0.syncCount } }
  var heldCount: Int { state.withLock { $0.heldCount } }

  /// From here on a sync waits; `release` lets it and all later ones go.
  func hold() { change { $0.isHeld = true } }

  func release() {
    let count = state.withLock { state in
      state.isHeld = false
      return state.heldCount
    }
    for _ in 0..<count { gate.signal() }
  }

  func write(_ bytes: UnsafeRawBufferPointer, to path: String, at offset: Int) throws(DiskFault) {
    let fitting = state.withLock { state -> Int in
      guard let room = state.room else { return bytes.count }
      let fitting = min(room, bytes.count)
      state.room = room - fitting
      return fitting
    }
    try disk.write(UnsafeRawBufferPointer(rebasing: bytes[..<fitting]), to: path, at: offset)
    guard fitting == bytes.count else {
      throw DiskFault(.full, path: path, "no space left on the test's disk")
    }
  }

  func truncate(_ path: String, to size: Int) throws(DiskFault) {
    guard !state.withLock({ $0.failsTruncate }) else {
      throw DiskFault(.failed, path: path, "truncate fails")
    }
    try disk.truncate(path, to: size)
  }

  func sync(_ path: String) throws(DiskFault) {
    let (fails, held) = state.withLock { state in
      state.syncCount += 1
      if state.isHeld { state.heldCount += 1 }
      return (state.failsSync, state.isHeld)
    }
    if held { gate.wait() }
    guard !fails else { throw DiskFault(.failed, path: path, "sync fails") }
    try disk.sync(path)
  }

  func remove(_ path: String) throws(DiskFault) {
    guard !state.withLock({ $0.failsRemove }) else { throw DiskFault(.failed, path: path, "remove fails") }
    try disk.remove(path)
  }

  func createDirectory(_ path: String) throws(DiskFault) { try disk.createDirectory(path) }
  func list(_ directory: String) throws(DiskFault) -> [String] { try disk.list(directory) }
  func size(_ path: String) throws(DiskFault) -> Int? { try disk.size(path) }
  func read(_ path: String, limit: Int) throws(DiskFault) -> [UInt8] { try disk.read(path, limit: limit) }
  func syncDirectory(_ path: String) throws(DiskFault) { try disk.syncDirectory(path) }
  func rename(_ path: String, to newPath: String) throws(DiskFault) { try disk.rename(path, to: newPath) }
  func link(_ path: String, as newPath: String) throws(DiskFault) { try disk.link(path, as: newPath) }
  func map(_ path: String) throws(DiskFault) -> MappedBytes { try disk.map(path) }
}

/// Owns a directory that goes when the test ends.
final class Room: Sendable {
  let path: String

  init() throws {
    path = NSTemporaryDirectory() + "/marquee-features-\(UUID().uuidString)"
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }

  /// What a machine that lost its process would find: the files as they are now, in another directory.
  func copied(_ name: String = UUID().uuidString, to room: Room) throws -> String {
    let target = room.path + "/" + name
    try FileManager.default.copyItem(atPath: path, toPath: target)
    return target
  }
}

func bytes(_ path: String) throws -> [UInt8] { [UInt8](try Data(contentsOf: URL(fileURLWithPath: path))) }

func put(_ bytes: [UInt8], _ path: String) throws { try Data(bytes).write(to: URL(fileURLWithPath: path)) }

let testNow = Timestamp(seconds: 1_790_000_000)

func event(
  _ id: String, profile: String = "p", title: String = "t", _ kind: Event.Kind = .play, secondsAgo: Int64 = 0,
  progress: Float = 0
) -> Event {
  Event(
    id: id, profileID: profile, titleID: title, kind: kind, at: testNow.advanced(bySeconds: -secondsAgo),
    progress: progress)
}

/// Waits for the condition, not for a time; the bound is there so that a broken test ends.
func eventually(_ what: String, _ condition: () -> Bool) async throws {
  for _ in 0..<20_000 {
    if condition() { return }
    try await Task.sleep(for: .milliseconds(1))
  }
  throw Fault(.deadlineExceeded, "never came: \(what)")
}

/// The fault that the body throws; a failure if it throws none.
func thrown(_ body: () async throws -> Void) async -> Fault? {
  do { try await body() } catch { return error as? Fault }
  return nil
}

func thrown(_ body: () throws -> Void) -> Fault? {
  do { try body() } catch { return error as? Fault }
  return nil
}
