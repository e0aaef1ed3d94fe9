import Base
import Foundation
import Snapshots

/// A scratch directory with a key, a clock and small snapshots to stage, build and break. Removed when it goes.
final class Workshop: Sendable {
  let directory: String
  let key = PrivateKey(seed: [UInt8](repeating: 7, count: 32)) ?? .generate()
  let now = Timestamp(seconds: 1_800_000_000)

  init() throws {
    directory =
      FileManager.default.temporaryDirectory
      .appendingPathComponent("marquee-snapshots-\(UUID().uuidString)").path
    try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
  }

  deinit { try? FileManager.default.removeItem(atPath: directory) }

  var trusted: [PublicKey] { [key.publicKey] }

  func path(_ name: String) -> String { "\(directory)/\(name)" }

  func library(
    _ name: String, disk: any Disk = SystemDisk(), isReadOnly: Bool = false
  ) throws -> SnapshotLibrary {
    try SnapshotLibrary(directory: path(name), disk: disk, trusted: trusted, isReadOnly: isReadOnly)
  }

  func draft(_ sequence: UInt64, parent: VerifiedManifest? = nil) -> Manifest {
    Manifest(
      sequence: sequence, parentSequence: parent?.sequence ?? 0, parentDigest: parent?.digest, created: now,
      expires: now.advanced(bySeconds: 86_400), space: "s1", model: "m1", features: "f1", policy: "p1",
      titleCount: 1000, description: "a test", isSynthetic: true)
  }

  /// Builds a snapshot of these segments into the library, in chunks of about 256 bytes.
  @discardableResult
  func build(
    _ sequence: UInt64, into library: SnapshotLibrary, parent: VerifiedManifest? = nil,
    segments: [(kind: String, name: String, bytes: [UInt8])]
  ) throws -> VerifiedManifest {
    var sources: [SnapshotBuilder.Source] = []
    for segment in segments {
      let file = path("\(segment.kind)-\(segment.name)-\(sequence)")
      try Data(segment.bytes).write(to: URL(fileURLWithPath: file))
      sources.append(.init(kind: segment.kind, name: segment.name, path: file))
    }
    var builder = SnapshotBuilder(library: library, key: key)
    builder.chunker = Chunker(byteCountMin: 64, byteCountTarget: 256, byteCountMax: 1024)
    return try builder.build(draft(sequence, parent: parent), from: sources)
  }

  /// Two snapshots in a library "origin": the second has the vectors changed in one place, the catalogue anew, the
  /// policy as it was, and a stretch that occurs twice.
  func twoSnapshots() throws -> (origin: SnapshotLibrary, first: VerifiedManifest, second: VerifiedManifest) {
    let origin = try library("origin")
    var vectors = noise(12_000, seed: 1)
    let policy = noise(700, seed: 2)
    let first = try build(
      1, into: origin,
      segments: [
        ("catalogue", "base", noise(6000, seed: 3)), ("vectors", "base", vectors), ("policy", "all", policy),
      ])
    vectors.replaceSubrange(5000..<5100, with: noise(140, seed: 4))
    let stretch = noise(3000, seed: 5)
    let second = try build(
      2, into: origin, parent: first,
      segments: [
        ("catalogue", "base", stretch + noise(500, seed: 6) + stretch), ("vectors", "base", vectors),
        ("policy", "all", policy),
      ])
    return (origin, first, second)
  }

  func sign(_ manifest: Manifest, key: PrivateKey? = nil) -> SignedBytes {
    SignedBytes(signing: manifest.bytes, purpose: .manifest, key: key ?? self.key)
  }

  /// Every file below a directory with the digest of its bytes: equal before and after means that nothing changed.
  func fingerprint(_ name: String) throws -> [String: Digest] {
    var found: [String: Digest] = [:]
    for file in try files(name) {
      found[file] = Digest(of: try SystemDisk().read("\(path(name))/\(file)", limit: 1 << 30))
    }
    return found
  }

  func files(_ name: String) throws -> [String] {
    let all = FileManager.default.enumerator(atPath: path(name))?.compactMap { $0 as? String } ?? []
    var isDirectory: ObjCBool = false
    return all.filter {
      FileManager.default.fileExists(atPath: "\(path(name))/\($0)", isDirectory: &isDirectory)
        && !isDirectory.boolValue
    }.sorted()
  }

  func copy(_ name: String, to other: String) throws {
    try FileManager.default.copyItem(atPath: path(name), toPath: path(other))
  }

  /// What a complete library with these snapshots and nothing else holds, besides its state.
  func expectedFiles(_ versions: [VerifiedManifest]) -> [String] {
    let segments = Set(versions.flatMap { $0.manifest.segments.map { "segments/\($0.digest.hex).segment" } })
    return (segments + versions.map { "manifests/\($0.sequence).manifest" }).sorted()
  }

  func leftovers(_ name: String, besides versions: [VerifiedManifest]) throws -> [String] {
    let expected = Set(expectedFiles(versions) + ["state"])
    return try files(name).filter { !expected.contains($0) }
  }
}

func noise(_ count: Int, seed: UInt64) -> [UInt8] {
  var random = SplitMix(seed: seed)
  var bytes = [UInt8](repeating: 0, count: count)
  bytes.withUnsafeMutableBytes { buffer in
    for start in stride(from: 0, to: count, by: 8) {
      withUnsafeBytes(of: random.next().littleEndian) { word in
        for index in start..<min(start + 8, count) { buffer[index] = word[index - start] }
      }
    }
  }
  return bytes
}

/// A copy of a mapping's bytes: a pointer to them does not keep it.
func copied(_ mapped: MappedBytes) -> [UInt8] { withExtendedLifetime(mapped) { [UInt8](mapped.bytes) } }

/// The refusal that `body` throws, or `nil`.
func refusal(_ body: () throws -> Void) -> Refusal? {
  do {
    try body()
    return nil
  } catch {
    return error as? Refusal
  }
}
