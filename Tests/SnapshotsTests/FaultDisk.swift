import Base
import Foundation
import Synchronization

/// A disk that fails on its `n`th change: it stops for good, as a process that is killed does, or it is full.
final class FaultDisk: Disk {
  enum Mode: Sendable {
    /// Half of the write is done, and from then on nothing works.
    case stop
    /// Whatever needs room fails from then on; removing works.
    case full
  }

  private struct State {
    var changeCount = 0
    var failed = false
    /// Files whose bytes are not synced.
    var unsynced: Set<String> = []
    /// Names given and not yet synced in their directory, with what had the name before.
    var renames: [(from: String, to: String, before: Data?)] = []
  }

  private let real = SystemDisk()
  private let mode: Mode
  private let failing: Int
  private let state = Mutex(State())

  init(_ mode: Mode, at failing: Int) {
    self.mode = mode
    self.failing = failing
  }

  var hasFailed: Bool { state.withLock { $0.failed } }

  /// Loses what a power cut may lose: bytes that were not synced, and names whose directory was not.
  func cutPower() throws {
    let (unsynced, renames) = state.withLock { ($0.unsynced, $0.renames) }
    for path in unsynced where FileManager.default.fileExists(atPath: path) { try real.truncate(path, to: 0) }
    for rename in renames.reversed() where FileManager.default.fileExists(atPath: rename.to) {
      try real.rename(rename.to, to: rename.from)
      if let before = rename.before { try before.write(to: URL(fileURLWithPath: rename.to)) }
    }
  }

  /// Counts a change; says whether it fails now, throws if the disk is gone.
  private func change(_ path: String, needsRoom: Bool = true) throws(DiskFault) -> Bool {
    let (fails, isFirst) = state.withLock { state -> (Bool, Bool) in
      if state.failed { return (mode == .stop || needsRoom, false) }
      guard mode == .stop || needsRoom else { return (false, false) }
      state.changeCount += 1
      state.failed = state.changeCount >= failing
      return (state.failed, state.failed)
    }
    if fails && !(isFirst && mode == .stop) { throw fault(path) }
    return fails
  }

  private func fault(_ path: String) -> DiskFault {
    DiskFault(mode == .full ? .full : .failed, path: path, mode == .full ? "No space left" : "stopped")
  }

  private func read(_ path: String) throws(DiskFault) {
    if mode == .stop && hasFailed { throw fault(path) }
  }

  func write(_ bytes: UnsafeRawBufferPointer, to path: String, at offset: Int) throws(DiskFault) {
    let fails = try change(path)
    state.withLock { _ = $0.unsynced.insert(path) }
    guard !fails else {
      try real.write(UnsafeRawBufferPointer(rebasing: bytes[..<(bytes.count / 2)]), to: path, at: offset)
      throw fault(path)
    }
    try real.write(bytes, to: path, at: offset)
  }

  func truncate(_ path: String, to size: Int) throws(DiskFault) {
    if try change(path) { throw fault(path) }
    try real.truncate(path, to: size)
    state.withLock { _ = $0.unsynced.insert(path) }
  }

  func sync(_ path: String) throws(DiskFault) {
    if try change(path) { throw fault(path) }
    // Not on the real disk: `cutPower` is what a sync protects from here.
    state.withLock { _ = $0.unsynced.remove(path) }
  }

  func syncDirectory(_ path: String) throws(DiskFault) {
    if try change(path) { throw fault(path) }
    state.withLock { $0.renames.removeAll { directory(of: $0.to) == path } }
  }

  func rename(_ path: String, to newPath: String) throws(DiskFault) {
    if try change(path) { throw fault(path) }
    let before = FileManager.default.contents(atPath: newPath)
    try real.rename(path, to: newPath)
    state.withLock { state in
      if state.unsynced.remove(path) != nil { state.unsynced.insert(newPath) }
      state.renames.append((path, newPath, before))
    }
  }

  func link(_ path: String, as newPath: String) throws(DiskFault) {
    if try change(path) { throw fault(path) }
    try real.link(path, as: newPath)
  }

  func remove(_ path: String) throws(DiskFault) {
    if try change(path, needsRoom: false) { throw fault(path) }
    try real.remove(path)
    state.withLock { _ = $0.unsynced.remove(path) }
  }

  func createDirectory(_ path: String) throws(DiskFault) {
    try read(path)
    try real.createDirectory(path)
  }

  func list(_ directory: String) throws(DiskFault) -> [String] {
    try read(directory)
    return try real.list(directory)
  }

  func size(_ path: String) throws(DiskFault) -> Int? {
    try read(path)
    return try real.size(path)
  }

  func read(_ path: String, limit: Int) throws(DiskFault) -> [UInt8] {
    try read(path)
    return try real.read(path, limit: limit)
  }

  func map(_ path: String) throws(DiskFault) -> MappedBytes {
    try read(path)
    return try real.map(path)
  }
}
