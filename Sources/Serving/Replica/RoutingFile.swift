internal import Base

/// The routing table on a replica's disk: `DIR/routing`, replaced in one step, so that a restart without the control
/// node still knows whether its region is failed over.
///
///     "MARQROU1"   u64 epoch   u32 regions
///     a region:    name   failed over to   u32 replicas, each a text   u32 fallbacks, each a text
///     a text:      u16 bytes, UTF-8
///     at the end:  SHA-256 of all before it
struct RoutingFile: Sendable {
  static let magic: [UInt8] = Array("MARQROU1".utf8)
  /// 64 regions, 1,024 replicas, each text of at most 256 bytes: 300 KB. Room beyond that is harmless.
  static let byteCountMax = 1 << 20
  static let textByteCountMax = 256

  let path: String
  let disk: any Disk

  /// `nil` when there is none yet. Throws when it can't be read, or is not what was written.
  func read() throws(Refusal) -> RoutingTable? {
    let bytes: [UInt8]
    do throws(DiskFault) {
      guard try disk.size(path) != nil else { return nil }
      bytes = try disk.read(path, limit: Self.byteCountMax)
    } catch {
      throw Refusal(.diskError, at: path, error.message)
    }
    return try Self.decode(bytes, place: path)
  }

  /// Out of the way, for whoever wants to know what happened to it.
  func setAside() throws(Refusal) {
    do throws(DiskFault) {
      try disk.rename(path, to: "\(path).damaged")
    } catch {
      throw Refusal(.diskError, at: path, error.message)
    }
  }

  /// On the disk when it returns.
  func write(_ table: RoutingTable) throws(Refusal) {
    do throws(DiskFault) {
      try disk.writeDurably(Self.encode(table), to: path)
    } catch {
      throw Refusal(error.code == .full ? .diskFull : .diskError, at: path, error.message)
    }
  }

  /// What a table from the control node must be before it is written.
  static func check(_ table: RoutingTable) throws(Refusal) {
    let names = table.regions.map(\.name)
    guard names.count <= Limits.regionCountMax, Set(names).count == names.count else {
      throw Refusal(.malformed, at: "routing", "has \(names.count) regions, or one of them twice")
    }
    let replicaCount = table.regions.reduce(0) { $0 + $1.replicas.count }
    guard replicaCount <= Limits.replicaCountMax,
      table.regions.allSatisfy({ $0.fallbacks.count <= Limits.regionCountMax })
    else { throw Refusal(.limitExceeded, at: "routing", "has \(replicaCount) replicas") }
    for region in table.regions {
      let texts = [region.name, region.failedOverTo] + region.replicas + region.fallbacks
      guard texts.allSatisfy({ $0.utf8.count <= textByteCountMax }) else {
        throw Refusal(.limitExceeded, at: "routing region \(region.name.prefix(64))", "has a text too long")
      }
    }
  }

  static func encode(_ table: RoutingTable) -> [UInt8] {
    var bytes = magic
    bytes.append(littleEndian: table.epoch)
    bytes.append(littleEndian: UInt32(table.regions.count))
    for region in table.regions {
      append(region.name, to: &bytes)
      append(region.failedOverTo, to: &bytes)
      for texts in [region.replicas, region.fallbacks] {
        bytes.append(littleEndian: UInt32(texts.count))
        for text in texts { append(text, to: &bytes) }
      }
    }
    return bytes + Digest(of: bytes).bytes
  }

  private static func append(_ text: String, to bytes: inout [UInt8]) {
    precondition(text.utf8.count <= textByteCountMax, "a table is checked before it is written")
    bytes.append(littleEndian: UInt16(text.utf8.count))
    bytes.append(contentsOf: text.utf8)
  }

  static func decode(_ bytes: [UInt8], place: String) throws(Refusal) -> RoutingTable {
    guard bytes.count >= magic.count + 12 + Digest.byteCount, bytes.starts(with: magic) else {
      throw Refusal(.malformed, at: place, "is not a routing table")
    }
    let content = Array(bytes.dropLast(Digest.byteCount))
    guard Digest(of: content).bytes == Array(bytes.suffix(Digest.byteCount)) else {
      throw Refusal(.corrupt, at: place, "is not what was written")
    }
    var reader = Reader(bytes: content, position: magic.count, place: place)
    var table = RoutingTable(epoch: try reader.number(UInt64.self), regions: [])
    for _ in 0..<(try reader.count(Limits.regionCountMax)) {
      var region = RoutingTable.Region(name: try reader.text(), replicas: [])
      region.failedOverTo = try reader.text()
      for _ in 0..<(try reader.count(Limits.replicaCountMax)) { region.replicas.append(try reader.text()) }
      for _ in 0..<(try reader.count(Limits.regionCountMax)) { region.fallbacks.append(try reader.text()) }
      table.regions.append(region)
    }
    guard reader.position == content.count else { throw reader.malformed }
    return table
  }

  private struct Reader {
    let bytes: [UInt8]
    var position: Int
    let place: String

    var malformed: Refusal {
      Refusal(.malformed, at: "\(place) offset \(position)", "ends or goes on wrongly")
    }

    mutating func number<Number: FixedWidthInteger>(_ type: Number.Type) throws(Refusal) -> Number {
      let size = MemoryLayout<Number>.size
      guard position + size <= bytes.count else { throw malformed }
      var value: Number = 0
      for index in 0..<size {
        value |= Number(truncatingIfNeeded: bytes[position + index]) << Number(8 * index)
      }
      position += size
      return value
    }

    mutating func count(_ most: Int) throws(Refusal) -> Int {
      let count = Int(try number(UInt32.self))
      guard count <= most else { throw malformed }
      return count
    }

    mutating func text() throws(Refusal) -> String {
      let count = Int(try number(UInt16.self))
      guard count <= textByteCountMax, position + count <= bytes.count,
        let text = String(validating: bytes[position..<(position + count)], as: UTF8.self)
      else { throw malformed }
      position += count
      return text
    }
  }
}
