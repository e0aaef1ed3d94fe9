internal import COpenSSL

/// A SHA-256 digest.
package struct Digest: Hashable, Sendable {
  package static let byteCount = 32

  package let words: (UInt64, UInt64, UInt64, UInt64)

  /// `bytes` must be 32 long.
  package init?(bytes: some Collection<UInt8>) {
    guard bytes.count == Self.byteCount else { return nil }
    var words: (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0)
    withUnsafeMutableBytes(of: &words) { $0.copyBytes(from: bytes) }
    self.words = words
  }

  package init?(hex: String) {
    guard let bytes = [UInt8](hex: hex) else { return nil }
    self.init(bytes: bytes)
  }

  package init(of bytes: UnsafeRawBufferPointer) {
    var words: (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0)
    var written: Int = 0
    let result = withUnsafeMutableBytes(of: &words) {
      EVP_Q_digest(nil, "SHA256", nil, bytes.baseAddress, bytes.count, $0.baseAddress, &written)
    }
    precondition(result == 1 && written == Self.byteCount, "OpenSSL has no SHA-256")
    self.words = words
  }

  package init(of bytes: [UInt8]) {
    self = bytes.withUnsafeBytes { Digest(of: $0) }
  }

  package var bytes: [UInt8] { withUnsafeBytes(of: words) { [UInt8]($0) } }
  package var hex: String { bytes.hex }
  /// The first 12 hexadecimal digits, for people.
  package var short: String { String(hex.prefix(12)) }

  package static func == (left: Digest, right: Digest) -> Bool { left.words == right.words }
  package func hash(into hasher: inout Swift.Hasher) { hasher.combine(words.0) }
}

extension Digest: CustomStringConvertible {
  package var description: String { hex }
}

/// A running SHA-256, for bytes that arrive in pieces.
package struct DigestStream: ~Copyable {
  private let context: OpaquePointer

  package init() {
    guard let context = EVP_MD_CTX_new(), EVP_DigestInit_ex(context, EVP_sha256(), nil) == 1 else {
      preconditionFailure("OpenSSL has no SHA-256")
    }
    self.context = context
  }

  deinit { EVP_MD_CTX_free(context) }

  package mutating func update(_ bytes: UnsafeRawBufferPointer) {
    precondition(EVP_DigestUpdate(context, bytes.baseAddress, bytes.count) == 1)
  }

  package consuming func finish() -> Digest {
    var bytes = [UInt8](repeating: 0, count: Digest.byteCount)
    var count: UInt32 = 0
    precondition(EVP_DigestFinal_ex(context, &bytes, &count) == 1)
    guard let digest = Digest(bytes: bytes) else { preconditionFailure("SHA-256 is 32 bytes") }
    return digest
  }
}

extension Collection where Element == UInt8 {
  package var hex: String {
    let digits = Array("0123456789abcdef".utf8)
    var text: [UInt8] = []
    text.reserveCapacity(count * 2)
    for byte in self {
      text.append(digits[Int(byte >> 4)])
      text.append(digits[Int(byte & 15)])
    }
    return String(decoding: text, as: UTF8.self)
  }
}

extension [UInt8] {
  package init?(hex: String) {
    let text = Array(hex.utf8)
    guard text.count % 2 == 0 else { return nil }
    var bytes: [UInt8] = []
    bytes.reserveCapacity(text.count / 2)
    for index in stride(from: 0, to: text.count, by: 2) {
      guard let high = nibble(text[index]), let low = nibble(text[index + 1]) else { return nil }
      bytes.append(high << 4 | low)
    }
    self = bytes
  }
}

private func nibble(_ character: UInt8) -> UInt8? {
  switch character {
  case UInt8(ascii: "0")...UInt8(ascii: "9"): character - UInt8(ascii: "0")
  case UInt8(ascii: "a")...UInt8(ascii: "f"): character - UInt8(ascii: "a") + 10
  case UInt8(ascii: "A")...UInt8(ascii: "F"): character - UInt8(ascii: "A") + 10
  default: nil
  }
}
