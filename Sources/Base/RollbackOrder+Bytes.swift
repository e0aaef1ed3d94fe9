extension RollbackOrder {
  /// Deterministic: version, the region's length and bytes, then the numbers, little-endian.
  package var bytes: [UInt8] {
    var bytes: [UInt8] = [1]
    bytes.append(littleEndian: UInt16(region.utf8.count))
    bytes.append(contentsOf: region.utf8)
    bytes.append(littleEndian: fromSequence)
    bytes.append(littleEndian: toSequence)
    bytes.append(contentsOf: toDigest.bytes)
    bytes.append(littleEndian: issued.milliseconds)
    bytes.append(littleEndian: expires.milliseconds)
    return bytes
  }

  package init(bytes: [UInt8]) throws(Refusal) {
    let malformed = Refusal(.malformed, at: "rollback order", "is not a rollback order of version 1")
    guard bytes.count >= 3, bytes[0] == 1 else { throw malformed }
    let nameCount = Int(bytes[1]) | Int(bytes[2]) << 8
    let numbers = 3 + nameCount
    guard bytes.count == numbers + 8 + 8 + Digest.byteCount + 8 + 8,
      let region = String(validating: bytes[3..<numbers], as: UTF8.self),
      let digest = Digest(bytes: bytes[(numbers + 16)..<(numbers + 48)])
    else { throw malformed }
    let words = bytes.withUnsafeBytes { all in
      (
        from: all.longWord(at: numbers), to: all.longWord(at: numbers + 8),
        issued: all.longWord(at: numbers + 48),
        expires: all.longWord(at: numbers + 56)
      )
    }
    self.init(
      region: region, fromSequence: words.from, toSequence: words.to, toDigest: digest,
      issued: Timestamp(milliseconds: Int64(bitPattern: words.issued)),
      expires: Timestamp(milliseconds: Int64(bitPattern: words.expires)))
  }
}
