package import Base

// The file form of signed bytes, little-endian:
//
//     0  magic "MARQSIG1"    8  payload bytes (u32)    12  signature bytes (u32)    16  key id bytes (u32)
//    20  payload, signature, key id, and nothing after them

extension SignedBytes {
  package static let fileMagic: [UInt8] = Array("MARQSIG1".utf8)
  package static let fileByteCountMax = 20 + Limits.manifestByteCountMax + 64 + 64
  private static let headByteCount = 20
  private static let signatureByteCount = 64
  private static let keyIDByteCountMax = 64

  package var fileBytes: [UInt8] {
    var bytes = Self.fileMagic
    bytes.append(littleEndian: UInt32(payload.count))
    bytes.append(littleEndian: UInt32(signature.count))
    bytes.append(littleEndian: UInt32(keyID.utf8.count))
    return bytes + payload + signature + Array(keyID.utf8)
  }

  /// Reads the form; the signature is not checked here. `place` is how refusals call the file.
  package init(fileBytes bytes: [UInt8], place: String) throws(Refusal) {
    guard bytes.count >= Self.headByteCount else {
      throw Refusal(.truncated, at: place, "has \(bytes.count) bytes, less than a head")
    }
    guard bytes.starts(with: Self.fileMagic) else {
      throw Refusal(.malformed, at: "\(place) offset 0", "is not a signed file")
    }
    let counts = bytes.withUnsafeBytes {
      (Int($0.word(at: 8)), Int($0.word(at: 12)), Int($0.word(at: 16)))
    }
    guard counts.0 <= Limits.manifestByteCountMax else {
      throw Refusal(.limitExceeded, at: "\(place) offset 8", "says a payload of \(counts.0) bytes")
    }
    guard counts.1 == Self.signatureByteCount, counts.2 <= Self.keyIDByteCountMax else {
      throw Refusal(.malformed, at: "\(place) offset 12", "says a signature or a key id of the wrong length")
    }
    let signatureStart = Self.headByteCount + counts.0
    let keyStart = signatureStart + counts.1
    guard bytes.count >= keyStart + counts.2 else {
      throw Refusal(.truncated, at: place, "has \(bytes.count) bytes of \(keyStart + counts.2)")
    }
    guard bytes.count == keyStart + counts.2 else {
      throw Refusal(.malformed, at: "\(place) offset \(keyStart + counts.2)", "goes on after its end")
    }
    guard let keyID = String(validating: bytes[keyStart...], as: UTF8.self) else {
      throw Refusal(.malformed, at: "\(place) offset \(keyStart)", "has a key id that is not UTF-8")
    }
    self.init(
      payload: Array(bytes[Self.headByteCount..<signatureStart]),
      signature: Array(bytes[signatureStart..<keyStart]), keyID: keyID)
  }

  /// The SHA-256 of the payload: of a manifest, the snapshot's digest.
  package var digest: Digest { Digest(of: payload) }
}
