import Base
import Foundation
import Testing

@Suite("Segment")
struct SegmentTests {
  let path = NSTemporaryDirectory() + "segment-\(UUID().uuidString)"

  func written() throws -> [UInt8] {
    let writer = try SegmentWriter(path: path, kind: "TEST", formatVersion: 3)
    try writer.add("nums", [UInt32](0..<100))
    try writer.begin("text", elementByteCount: 1)
    try writer.append(Array("two ".utf8))
    try writer.append(Array("pieces".utf8))
    try writer.add("none", [Float]())
    try writer.finish()
    defer { unlink(path) }
    return try SystemDisk().read(path, limit: 1 << 20)
  }

  func open(_ bytes: [UInt8]) throws(Refusal) -> Segment {
    try Segment(opening: MappedBytes(copying: bytes), name: "t/base", kind: "TEST", formatVersion: 3)
  }

  @Test("what was written is read in place, aligned, an empty section too")
  func roundTrip() throws {
    let segment = try open(written())
    let numbers = try segment.array("nums", of: UInt32.self)
    #expect(Array(numbers) == [UInt32](0..<100))
    #expect(UInt(bitPattern: numbers.baseAddress) % 64 == 0)
    #expect(String(decoding: try segment.array("text", of: UInt8.self), as: UTF8.self) == "two pieces")
    #expect(try segment.array("none", of: Float.self).isEmpty)
  }

  @Test("a missing section, another element size and another count are refused by name")
  func wrongSection() throws {
    let segment = try open(written())
    #expect { try segment.array("gone", of: UInt8.self) } throws: {
      ($0 as? Refusal)?.code == .unreadable && "\($0)".contains("gone")
    }
    #expect(throws: Refusal.self) { try segment.array("nums", of: UInt8.self) }
    #expect(throws: Refusal.self) { try segment.array("nums", of: UInt32.self, count: 99) }
  }

  @Test("another kind, another format and another magic are refused")
  func wrongHeader() throws {
    let bytes = try written()
    for offset in [0, 8, 12, 16, 24] {
      var changed = bytes
      changed[offset] ^= 0x40
      #expect(throws: Refusal.self, "offset \(offset)") { try open(changed) }
    }
  }

  @Test("every truncation is refused")
  func truncated() throws {
    let bytes = try written()
    for count in stride(from: 0, to: bytes.count, by: 7) {
      #expect(throws: Refusal.self, "\(count) bytes") { try open(Array(bytes.prefix(count))) }
    }
  }

  @Test("any flip in the table gives a refusal or sections inside the bytes, never a crash")
  func hostileTable() throws {
    let bytes = try written()
    for offset in Segment.headerByteCount..<(Segment.headerByteCount + 3 * Segment.entryByteCount) {
      for bit in 0..<8 {
        var changed = bytes
        changed[offset] ^= 1 << UInt8(bit)
        guard let segment = try? open(changed) else { continue }
        for tag: SegmentTag in ["nums", "text", "none"] {
          guard let section = try? segment.array(tag, of: UInt8.self) else { continue }
          #expect(section.count <= bytes.count)
        }
      }
    }
  }
}

@Suite("RollbackOrder")
struct RollbackOrderTests {
  let order = RollbackOrder(
    region: "north", fromSequence: 9, toSequence: 7, toDigest: Digest(of: [1, 2, 3]),
    issued: Timestamp(seconds: 1_700_000_000), expires: Timestamp(seconds: 1_700_000_600))

  @Test("an order survives its bytes")
  func roundTrip() throws {
    #expect(try RollbackOrder(bytes: order.bytes) == order)
  }

  @Test("every truncation and every longer form is malformed")
  func truncated() {
    for count in 0..<order.bytes.count {
      #expect(throws: Refusal.self) { try RollbackOrder(bytes: Array(order.bytes.prefix(count))) }
    }
    #expect(throws: Refusal.self) { try RollbackOrder(bytes: order.bytes + [0]) }
  }

  @Test("bytes signed as a manifest are no order, and another key's are refused by its own code")
  func purposes() throws {
    let key = PrivateKey.generate()
    let signed = SignedBytes(signing: order.bytes, purpose: .manifest, key: key)
    #expect { try signed.verified(purpose: .rollback, trusted: [key.publicKey]) } throws: {
      ($0 as? Refusal)?.code == .badSignature
    }
    #expect { try signed.verified(purpose: .manifest, trusted: [PrivateKey.generate().publicKey]) } throws: {
      ($0 as? Refusal)?.code == .untrustedKey
    }
    #expect(try signed.verified(purpose: .manifest, trusted: [key.publicKey]) == order.bytes)
  }
}

@Suite("RoutingTable")
struct RoutingTableTests {
  @Test("failovers are followed, and a ring of them serves nowhere")
  func follows() {
    var table = RoutingTable(
      epoch: 1,
      regions: [
        .init(name: "a", failedOverTo: "b", replicas: []), .init(name: "b", failedOverTo: "c", replicas: []),
        .init(name: "c", replicas: ["h:1"]),
      ])
    #expect(table.serving("a")?.name == "c")
    #expect(table.serving("nowhere") == nil)
    table.regions[2].failedOverTo = "a"
    #expect(table.serving("a") == nil)
  }
}

@Suite("SystemDisk")
struct SystemDiskTests {
  let root = NSTemporaryDirectory() + "disk-\(UUID().uuidString)"

  @Test("a durable write replaces the file whole and leaves no draft")
  func durable() throws {
    let disk = SystemDisk()
    try disk.createDirectory(root + "/deep/er")
    try disk.writeDurably([1, 2, 3], to: root + "/deep/file")
    try disk.writeDurably([4], to: root + "/deep/file")
    #expect(try disk.read(root + "/deep/file", limit: 10) == [4])
    #expect(try disk.list(root + "/deep") == ["er", "file"])
    try FileManager.default.removeItem(atPath: root)
  }

  @Test("a file that isn't there, a limit passed and a missing directory are told apart")
  func faults() throws {
    let disk = SystemDisk()
    try disk.createDirectory(root)
    defer { try? FileManager.default.removeItem(atPath: root) }
    #expect(try disk.size(root + "/none") == nil)
    #expect { try disk.read(root + "/none", limit: 1) } throws: { ($0 as? DiskFault)?.code == .notFound }
    try disk.writeDurably([1, 2], to: root + "/two")
    #expect { try disk.read(root + "/two", limit: 1) } throws: { ($0 as? DiskFault)?.code == .failed }
    #expect { try disk.list(root + "/none") } throws: { ($0 as? DiskFault)?.code == .notFound }
    #expect { try disk.link(root + "/two", as: root + "/two") } throws: {
      ($0 as? DiskFault)?.code == .exists
    }
  }
}
