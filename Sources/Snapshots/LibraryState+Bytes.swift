internal import Base

// The state file, little-endian; texts are a length (u16) and UTF-8:
//
//     magic "MARQSTA1" | floor, current (sequence u64, 32 bytes of digest; zeros for none) | withdrawn above and
//     through (u64) | refused versions (u32), each: sequence u64, digest, code, place, message
//     bytes of the last order (u32), the order as a signed file | SHA-256 of all that is before it

extension LibraryState {
  static let magic: [UInt8] = Array("MARQSTA1".utf8)
  /// 64 refusals of at most 2 KB, and an order: 200 KB; a file beyond this is none of ours.
  static let fileByteCountMax = 1 << 20
  private static let textByteCountMax = 1000

  var fileBytes: [UInt8] {
    var bytes = Self.magic
    for version in [floor, current] {
      bytes.append(littleEndian: version?.sequence ?? 0)
      bytes.append(contentsOf: version?.digest.bytes ?? [UInt8](repeating: 0, count: Digest.byteCount))
    }
    bytes.append(littleEndian: withdrawnAbove)
    bytes.append(littleEndian: withdrawnThrough)
    bytes.append(littleEndian: UInt32(refused.count))
    for version in refused {
      bytes.append(littleEndian: version.sequence)
      bytes.append(contentsOf: version.digest.bytes)
      for text in [version.refusal.code.rawValue, version.refusal.place, version.refusal.message] {
        let kept = Array(cut(text).utf8)
        bytes.append(littleEndian: UInt16(kept.count))
        bytes.append(contentsOf: kept)
      }
    }
    let order = lastOrder?.fileBytes ?? []
    bytes.append(littleEndian: UInt32(order.count))
    bytes.append(contentsOf: order)
    return bytes + Digest(of: bytes).bytes
  }

  /// Throws `corrupt` or `truncated` with the offset; never guesses.
  init(fileBytes bytes: [UInt8], place: String) throws(Refusal) {
    guard bytes.count >= Self.magic.count + Digest.byteCount else {
      throw Refusal(.truncated, at: place, "has \(bytes.count) bytes, too few for a state")
    }
    guard bytes.starts(with: Self.magic) else {
      throw Refusal(.corrupt, at: "\(place) offset 0", "is not a library's state")
    }
    let end = bytes.count - Digest.byteCount
    guard Digest(of: Array(bytes[..<end])).bytes.elementsEqual(bytes[end...]) else {
      throw Refusal(.corrupt, at: place, "does not match its own checksum")
    }
    self.init()
    var cursor = ByteCursor(bytes: Array(bytes[..<end]), position: Self.magic.count, place: place)
    floor = try cursor.version()
    current = try cursor.version()
    withdrawnAbove = try cursor.number(UInt64.self)
    withdrawnThrough = try cursor.number(UInt64.self)
    let count = try cursor.number(UInt32.self)
    guard count <= Limits.refusedVersionCountMax else {
      throw cursor.refusal("says \(count) refused versions")
    }
    for _ in 0..<count {
      let sequence = try cursor.number(UInt64.self)
      let digest = try cursor.digest()
      let code = try cursor.text()
      guard let code = Refusal.Code(rawValue: code) else { throw cursor.refusal("has an unknown code") }
      let refusal = Refusal(code, at: try cursor.text(), try cursor.text())
      refused.append(.init(sequence: sequence, digest: digest, refusal: refusal))
    }
    let order = try cursor.block(Int(try cursor.number(UInt32.self)))
    if !order.isEmpty { lastOrder = try SignedBytes(fileBytes: Array(order), place: "\(place) order") }
    guard cursor.position == end else { throw cursor.refusal("goes on after its end") }
  }

  /// At most as many bytes as the file takes, cut between characters.
  private func cut(_ text: String) -> String {
    guard text.utf8.count > Self.textByteCountMax else { return text }
    var kept = text.prefix(Self.textByteCountMax)
    while kept.utf8.count > Self.textByteCountMax { kept.removeLast() }
    return String(kept)
  }
}

/// Reads a state's fields one after the other, each within bounds.
private struct ByteCursor {
  let bytes: [UInt8]
  var position: Int
  let place: String

  mutating func block(_ count: Int) throws(Refusal) -> ArraySlice<UInt8> {
    guard count <= bytes.count - position else { throw refusal("ends too early") }
    defer { position += count }
    return bytes[position..<(position + count)]
  }

  mutating func number<Number: FixedWidthInteger & UnsignedInteger>(
    _ type: Number.Type
  ) throws(Refusal) -> Number {
    try block(Number.bitWidth / 8).reversed().reduce(0) { $0 << 8 | Number($1) }
  }

  mutating func digest() throws(Refusal) -> Digest {
    guard let digest = Digest(bytes: try block(Digest.byteCount)) else { throw refusal("has no digest here") }
    return digest
  }

  mutating func version() throws(Refusal) -> LibraryState.Version? {
    let sequence = try number(UInt64.self)
    let digest = try digest()
    return sequence == 0 ? nil : LibraryState.Version(sequence: sequence, digest: digest)
  }

  mutating func text() throws(Refusal) -> String {
    let count = Int(try number(UInt16.self))
    guard let text = String(validating: try block(count), as: UTF8.self) else {
      throw refusal("has a text that is not UTF-8")
    }
    return text
  }

  func refusal(_ message: String) -> Refusal { Refusal(.corrupt, at: "\(place) offset \(position)", message) }
}
