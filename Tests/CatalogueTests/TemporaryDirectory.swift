import Foundation

/// Owns a directory of its own; removes it in `deinit`.
final class TemporaryDirectory {
  let path: String

  init() throws {
    path = FileManager.default.temporaryDirectory.path + "/marquee-" + UUID().uuidString
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }

  func file(_ name: String) -> String { path + "/" + name }

  /// Writes a file; returns its path.
  @discardableResult
  func write(_ text: String, to name: String) throws -> String {
    try write(Array(text.utf8), to: name)
  }

  @discardableResult
  func write(_ bytes: [UInt8], to name: String) throws -> String {
    try Data(bytes).write(to: URL(fileURLWithPath: file(name)))
    return file(name)
  }

  func read(_ name: String) throws -> [UInt8] {
    [UInt8](try Data(contentsOf: URL(fileURLWithPath: file(name))))
  }

  func gzip(_ name: String) throws {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = ["gzip", "-f", file(name)]
    try process.run()
    process.waitUntilExit()
  }
}

/// Real data, which the project doesn't carry: in `MARQUEE_DATA`, or `../shared/data` beside the package.
func realData(_ name: String, with file: String) -> String? {
  let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent().path
  let data = ProcessInfo.processInfo.environment["MARQUEE_DATA"] ?? root + "/../shared/data"
  let directory = data + "/" + name
  return FileManager.default.fileExists(atPath: directory + "/" + file) ? directory : nil
}

func movieLensDirectory() -> String? { realData("movielens", with: "movies.csv") }
func kuaiRandDirectory() -> String? { realData("kuairand", with: "impressions.csv.gz") }
