import Base
import Control
import Foundation
import Snapshots

/// A directory of its own, removed with the last reference.
final class TemporaryDirectory: Sendable {
  let path: String

  init() {
    path = FileManager.default.temporaryDirectory.appendingPathComponent("control-\(UUID().uuidString)").path
    try? FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }
}

/// Keys, a fleet and small snapshots for tests.
struct TestFleet {
  static let start = Timestamp(seconds: 1_700_000_000)

  let key: PrivateKey
  let configuration: FleetConfiguration

  init(
    regions: [String: [String]] = ["north": ["n1:1", "n2:1"], "south": ["s1:1", "s2:1"]], seed: UInt8 = 7
  ) {
    guard let key = PrivateKey(seed: [UInt8](repeating: seed, count: 32)) else {
      preconditionFailure("any 32 bytes are a seed")
    }
    self.key = key
    configuration = FleetConfiguration(
      regions: regions.keys.sorted().map { name in
        .init(
          name: name, replicas: regions[name] ?? [], fallbacks: regions.keys.filter { $0 != name }.sorted())
      }, trustedKeys: [key.publicKey])
  }

  func node(at directory: TemporaryDirectory, time: any TimeSource) throws -> ControlNode {
    try ControlNode(
      directory: directory.path, configuration: configuration, disk: SystemDisk(), time: time)
  }

  /// A signed snapshot of one segment in two chunks.
  func snapshot(
    _ sequence: UInt64, content: String = "", created: Timestamp = start, days: Int64 = 30,
    key: PrivateKey? = nil
  ) -> TestSnapshot {
    let chunks = ["\(sequence) first \(content)", "\(sequence) second \(content)"].map { Array($0.utf8) }
    let whole = chunks.flatMap { $0 }
    let manifest = Manifest(
      sequence: sequence, created: created, expires: created.advanced(bySeconds: days * 86_400), space: "s",
      model: "m", features: "f", policy: "p", titleCount: 3,
      segments: [
        .init(
          kind: "policy", name: "all", byteCount: UInt64(whole.count), digest: Digest(of: whole),
          chunks: chunks.map { .init(byteCount: UInt32($0.count), digest: Digest(of: $0)) })
      ])
    return TestSnapshot(
      sequence: sequence,
      envelope: SignedBytes(signing: manifest.bytes, purpose: .manifest, key: key ?? self.key), chunks: chunks
    )
  }

  func order(
    region: String = "", from: UInt64, to target: TestSnapshot, issued: Timestamp = start,
    minutes: Int64 = 10,
    key: PrivateKey? = nil
  ) -> SignedBytes {
    let order = RollbackOrder(
      region: region, fromSequence: from, toSequence: target.sequence, toDigest: target.digest,
      issued: issued,
      expires: issued.advanced(bySeconds: minutes * 60))
    return SignedBytes(signing: order.bytes, purpose: .rollback, key: key ?? self.key)
  }
}

struct TestSnapshot: Sendable {
  var sequence: UInt64
  var envelope: SignedBytes
  var chunks: [[UInt8]]
  var digest: Digest { Digest(of: envelope.payload) }
}

extension ControlNode {
  @discardableResult
  nonisolated func publish(_ snapshot: TestSnapshot, to regions: [String] = []) async throws -> PublishReceipt
  {
    try await publish(
      PublishOrder(manifest: snapshot.envelope, regions: regions), chunks: stream(snapshot.chunks), by: "test"
    )
  }
}

func stream(_ chunks: [[UInt8]]) -> AsyncStream<[UInt8]> {
  AsyncStream { continuation in
    for chunk in chunks { continuation.yield(chunk) }
    continuation.finish()
  }
}

/// Calls `body` and returns the fault that it throws.
func fault(_ body: () async throws -> Void) async -> Fault? {
  do { try await body() } catch { return error as? Fault }
  return nil
}
