/// What a disk said instead of doing it.
package struct DiskFault: Error, Equatable, Sendable {
  package enum Code: Sendable { case full, notFound, exists, failed }

  package var code: Code
  package var path: String
  package var message: String

  package init(_ code: Code, path: String, _ message: String) {
    self.code = code
    self.path = path
    self.message = message
  }
}

extension DiskFault: CustomStringConvertible {
  package var description: String { "\(path): \(message)" }
}

/// The disk as rooms see it: a parameter, so that a test can fill it, break it or stop the world between two writes.
///
/// Paths are whole. Nothing here is durable before `sync` (for a file) and `syncDirectory` (for a name).
package protocol Disk: Sendable {
  /// Makes the directory and those above it; one that exists is fine.
  func createDirectory(_ path: String) throws(DiskFault)
  /// The names in a directory, sorted, without `.` and `..`. A directory that isn't there is `notFound`.
  func list(_ directory: String) throws(DiskFault) -> [String]
  /// Bytes in the file, or `nil` if it isn't there.
  func size(_ path: String) throws(DiskFault) -> Int?
  func read(_ path: String, limit: Int) throws(DiskFault) -> [UInt8]
  /// Writes at an offset, making the file if needed.
  func write(_ bytes: UnsafeRawBufferPointer, to path: String, at offset: Int) throws(DiskFault)
  func truncate(_ path: String, to size: Int) throws(DiskFault)
  func sync(_ path: String) throws(DiskFault)
  func syncDirectory(_ path: String) throws(DiskFault)
  func rename(_ path: String, to newPath: String) throws(DiskFault)
  /// A second name for the same bytes.
  func link(_ path: String, as newPath: String) throws(DiskFault)
  /// Removing what isn't there is fine.
  func remove(_ path: String) throws(DiskFault)
  func map(_ path: String) throws(DiskFault) -> MappedBytes
}

extension Disk {
  /// Replaces the file in one step: after a crash it holds the old bytes or the new, never a part.
  package func writeDurably(_ bytes: [UInt8], to path: String) throws(DiskFault) {
    let draft = path + ".draft"
    try remove(draft)
    let outcome: Result<Void, DiskFault> = bytes.withUnsafeBytes { buffer in
      do throws(DiskFault) {
        try write(buffer, to: draft, at: 0)
        return .success(())
      } catch {
        return .failure(error)
      }
    }
    try outcome.get()
    try sync(draft)
    try rename(draft, to: path)
    try syncDirectory(directory(of: path))
  }
}

/// The directory part of a path; `.` when it has none.
package func directory(of path: String) -> String {
  guard let slash = path.lastIndex(of: "/") else { return "." }
  return slash == path.startIndex ? "/" : String(path[..<slash])
}
