import Base

/// One event as it lies in the log. Little-endian:
///
///     0  CRC-32C of the bytes from 4 to the record's end (u32)      4  bytes of the payload (u32)
///     8  position (u64)     16  offset in the file where the group begins (u32)     20  zeros
///    24  payload: kind (u8), at in milliseconds (i64), progress (f32), then id, profile, title, surface and request,
///        each a length (u16) and UTF-8
///
/// A group is what one sync made durable. Its beginning is in each record, because it tells a torn tail from a damaged
/// middle: when a group's bytes are being written, all before its beginning is durable. So a bad record that is followed
/// by a good one of a *later* group was durable once and is damage; followed by none, it never was acknowledged.
struct EventRecord {
  static let headerByteCount = 24
  static let payloadByteCountMin = 13 + 5 * 2
  static let payloadByteCountMax = payloadByteCountMin + 5 * Limits.idByteCountMax

  var position: UInt64
  var groupStart: UInt32
  var payload: Range<Int>

  /// The record at `offset`, if its length and CRC are right.
  init?(at offset: Int, in bytes: UnsafeRawBufferPointer) {
    guard bytes.count - offset >= Self.headerByteCount else { return nil }
    let count = Int(bytes.word(at: offset + 4))
    guard count >= Self.payloadByteCountMin, count <= Self.payloadByteCountMax,
      count <= bytes.count - offset - Self.headerByteCount
    else { return nil }
    let start = offset + Self.headerByteCount
    let checked = UnsafeRawBufferPointer(rebasing: bytes[(offset + 4)..<(start + count)])
    guard CRC32C.shared.checksum(checked) == bytes.word(at: offset) else { return nil }
    position = bytes.longWord(at: offset + 8)
    groupStart = bytes.word(at: offset + 16)
    payload = start..<(start + count)
  }

  static func append(_ event: Event, position: UInt64, groupStart: UInt32, to bytes: inout [UInt8]) {
    let start = bytes.count
    bytes.append(littleEndian: UInt64(0))
    bytes.append(littleEndian: position)
    bytes.append(littleEndian: groupStart)
    bytes.append(littleEndian: UInt32(0))
    bytes.append(UInt8(event.kind.rawValue))
    bytes.append(littleEndian: event.at.milliseconds)
    bytes.append(littleEndian: event.progress.bitPattern)
    for text in [event.id, event.profileID, event.titleID, event.surface, event.requestID] {
      bytes.append(littleEndian: UInt16(text.utf8.count))
      bytes.append(contentsOf: text.utf8)
    }
    bytes.withUnsafeMutableBytes { all in
      let count = UInt32(all.count - start - headerByteCount)
      all.storeBytes(of: count.littleEndian, toByteOffset: start + 4, as: UInt32.self)
      let crc = CRC32C.shared.checksum(UnsafeRawBufferPointer(rebasing: all[(start + 4)...]))
      all.storeBytes(of: crc.littleEndian, toByteOffset: start, as: UInt32.self)
    }
  }

  /// The event; `nil` if the payload is not one, which a right CRC makes a writer's mistake and not the disk's.
  func event(in bytes: UnsafeRawBufferPointer) -> Event? {
    guard let kind = Event.Kind(rawValue: Int(bytes[payload.lowerBound])) else { return nil }
    let at = Int64(bitPattern: bytes.longWord(at: payload.lowerBound + 1))
    let progress = Float(bitPattern: bytes.word(at: payload.lowerBound + 9))
    var cursor = payload.lowerBound + 13
    guard let id = text(at: &cursor, in: bytes), let profileID = text(at: &cursor, in: bytes),
      let titleID = text(at: &cursor, in: bytes), let surface = text(at: &cursor, in: bytes),
      let requestID = text(at: &cursor, in: bytes), cursor == payload.upperBound
    else { return nil }
    return Event(
      id: id, profileID: profileID, titleID: titleID, kind: kind, at: Timestamp(milliseconds: at),
      progress: progress, surface: surface, requestID: requestID)
  }

  /// The hash of the event's id, without making the event.
  func idHash(in bytes: UnsafeRawBufferPointer) -> UInt64? {
    var cursor = payload.lowerBound + 13
    guard let range = textRange(at: &cursor, in: bytes) else { return nil }
    return eventHash(UnsafeRawBufferPointer(rebasing: bytes[range]))
  }

  private func text(at cursor: inout Int, in bytes: UnsafeRawBufferPointer) -> String? {
    guard let range = textRange(at: &cursor, in: bytes) else { return nil }
    return String(validating: UnsafeRawBufferPointer(rebasing: bytes[range]), as: UTF8.self)
  }

  private func textRange(at cursor: inout Int, in bytes: UnsafeRawBufferPointer) -> Range<Int>? {
    guard payload.upperBound - cursor >= 2 else { return nil }
    let count = Int(bytes[cursor]) | Int(bytes[cursor + 1]) << 8
    let start = cursor + 2
    guard count <= payload.upperBound - start else { return nil }
    cursor = start + count
    return start..<cursor
  }
}
