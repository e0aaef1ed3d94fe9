internal import Base

/// Owns a directory of drafts; removed with everything in it in `deinit`, or by the next one at the same path.
final class ScratchDirectory {
  let path: String
  private let disk: any Disk

  init(_ path: String, disk: any Disk) throws(DiskFault) {
    self.path = path
    self.disk = disk
    Self.clear(path, disk)
    try disk.createDirectory(path)
  }

  deinit { Self.clear(path, disk) }

  func file(_ kind: String, _ name: String) -> String { "\(path)/\(kind)-\(name)" }

  /// Files only: nothing here makes a directory in it. The empty directory stays, which harms nothing.
  private static func clear(_ path: String, _ disk: any Disk) {
    for name in (try? disk.list(path)) ?? [] { try? disk.remove("\(path)/\(name)") }
  }
}
