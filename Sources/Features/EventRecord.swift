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

  /// The texts have at most ``Limits/idByteCountMax`` bytes, as the log checks before.
  static func append(_ event: Event, position: UInt64, groupStart: UInt32, to bytes: inout [UInt8]) {
    let texts = (event.id, event.profileID, event.titleID, event.surface, event.requestID)
    var count = payloadByteCountMin + texts.0.utf8.count + texts.1.utf8.count + texts.2.utf8.count
    count += texts.3.utf8.count + texts.4.utf8.count
    let start = bytes.count
    bytes.append(contentsOf: repeatElement(0, count: headerByteCount + count))
    bytes.withUnsafeMutableBytes { all in
      let record = UnsafeMutableRawBufferPointer(rebasing: all[start...])
      record.storeBytes(of: UInt32(count).littleEndian, toByteOffset: 4, as: UInt32.self)
      record.storeBytes(of: position.littleEndian, toByteOffset: 8, as: UInt64.self)
      record.storeBytes(of: groupStart.littleEndian, toByteOffset: 16, as: UInt32.self)
      record[24] = UInt8(event.kind.rawValue)
      record.storeBytes(of: event.at.milliseconds.littleEndian, toByteOffset: 25, as: Int64.self)
      record.storeBytes(of: event.progress.bitPattern.littleEndian, toByteOffset: 33, as: UInt32.self)
      var cursor = 37
      store(texts.0, at: &cursor, in: record)
      store(texts.1, at: &cursor, in: record)
      store(texts.2, at: &cursor, in: record)
      store(texts.3, at: &cursor, in: record)
      store(texts.4, at: &cursor, in: record)
      let crc = CRC32C.shared.checksum(UnsafeRawBufferPointer(rebasing: record[4...]))
      record.storeBytes(of: crc.littleEndian, toByteOffset: 0, as: UInt32.self)
    }
  }

  private static func store(_ text: String, at cursor: inout Int, in record: UnsafeMutableRawBufferPointer) {
    var text = text
    let count = text.withUTF8 { utf8 in
      UnsafeMutableRawBufferPointer(rebasing: record[(cursor + 2)...]).copyMemory(
        from: UnsafeRawBufferPointer(utf8))
      return utf8.count
    }
    record[cursor] = UInt8(truncatingIfNeeded: count)
    record[cursor + 1] = UInt8(truncatingIfNeeded: count >> 8)
    cursor += 2 + count
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
    // Under a right CRC lie the bytes of a String. Anything else would read as U+FFFD; the check costs a third of a replay.
    return String(decoding: UnsafeRawBufferPointer(rebasing: bytes[range]), as: UTF8.self)
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
