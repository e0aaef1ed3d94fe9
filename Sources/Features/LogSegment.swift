import Base

/// One file of the log: `events-<first position, 20 digits>.log`, a header and records up to `byteCount`.
///
///     0  magic "MARQLOG1"    8  format (u32)    12  zeros    16  first position (u64)    24  created, ms (i64)
///    32  CRC-32C of the bytes before (u32)     36  zeros
struct LogSegment: Sendable {
  static let headerByteCount = 40
  static let format: UInt32 = 1
  private static let magic = Array("MARQLOG1".utf8)

  var path: String
  var first: UInt64
  var created: Timestamp
  /// The position after the last durable event in it.
  var end: UInt64
  /// Where the durable bytes end. What lies behind is nobody's.
  var byteCount: Int

  static func name(first: UInt64) -> String {
    let digits = String(first)
    return "events-" + String(repeating: "0", count: 20 - digits.count) + digits + ".log"
  }

  /// The first position in a file of this name; `nil` for a name that is not the log's.
  static func first(name: String) -> UInt64? {
    guard name.hasPrefix("events-"), name.hasSuffix(".log"), name.utf8.count == 31,
      let first = UInt64(name.dropFirst(7).dropLast(4)), self.name(first: first) == name
    else { return nil }
    return first
  }

  static func header(first: UInt64, created: Timestamp) -> [UInt8] {
    var bytes = magic
    bytes.append(littleEndian: format)
    bytes.append(littleEndian: UInt32(0))
    bytes.append(littleEndian: first)
    bytes.append(littleEndian: created.milliseconds)
    bytes.append(littleEndian: bytes.withUnsafeBytes { CRC32C.shared.checksum($0) })
    bytes.append(littleEndian: UInt32(0))
    return bytes
  }

  /// When the file was begun; `nil` if this is not the header of the file that begins at `first`.
  static func created(header bytes: UnsafeRawBufferPointer, first: UInt64) -> Timestamp? {
    guard bytes.count >= headerByteCount, bytes.prefix(8).elementsEqual(magic), bytes.word(at: 8) == format,
      bytes.longWord(at: 16) == first,
      CRC32C.shared.checksum(UnsafeRawBufferPointer(rebasing: bytes[..<32])) == bytes.word(at: 32)
    else { return nil }
    return Timestamp(milliseconds: Int64(bitPattern: bytes.longWord(at: 24)))
  }

  /// Walks the records from the header on, as long as they are whole and in order.
  ///
  /// Returns the offset and the position where that ends, which in a good file is its end.
  static func walk(
    _ bytes: UnsafeRawBufferPointer, first: UInt64, _ body: (EventRecord) throws(Fault) -> Void
  ) throws(Fault) -> (offset: Int, end: UInt64) {
    var offset = min(headerByteCount, bytes.count)
    var position = first
    while let record = EventRecord(at: offset, in: bytes), record.position == position,
      record.groupStart <= offset
    {
      try body(record)
      offset = record.payload.upperBound
      position &+= 1
    }
    return (offset, position)
  }

  /// Whether what is broken at `offset` was durable once: a whole record of a later group lies behind it.
  static func isDamaged(_ bytes: UnsafeRawBufferPointer, at offset: Int, position: UInt64) -> Bool {
    var candidate = offset + 1
    let last = bytes.count - EventRecord.headerByteCount - EventRecord.payloadByteCountMin
    let most = UInt64(bytes.count / EventRecord.headerByteCount)
    while candidate <= last {
      // The position is looked at first: it makes a byte-wise search of a whole file cost milliseconds.
      if bytes.longWord(at: candidate + 8) &- position <= most,
        let record = EventRecord(at: candidate, in: bytes), record.groupStart > offset
      {
        return true
      }
      candidate += 1
    }
    return false
  }
}
