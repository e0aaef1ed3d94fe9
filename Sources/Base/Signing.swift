internal import COpenSSL

/// An Ed25519 public key: what `fleet.yaml` trusts.
package struct PublicKey: Hashable, Sendable {
  package static let byteCount = 32

  package let bytes: [UInt8]

  package init?(bytes: [UInt8]) {
    guard bytes.count == Self.byteCount else { return nil }
    self.bytes = bytes
  }

  package init?(hex: String) {
    guard let bytes = [UInt8](hex: hex) else { return nil }
    self.init(bytes: bytes)
  }

  package var hex: String { bytes.hex }

  /// Names the key in envelopes and in `status`: the first 16 hexadecimal digits of its SHA-256.
  package var id: String { String(Digest(of: bytes).hex.prefix(16)) }

  package func verify(signature: [UInt8], of message: [UInt8]) -> Bool {
    guard let key = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nil, bytes, bytes.count) else {
      return false
    }
    defer { EVP_PKEY_free(key) }
    guard let context = EVP_MD_CTX_new() else { return false }
    defer { EVP_MD_CTX_free(context) }
    guard EVP_DigestVerifyInit(context, nil, nil, nil, key) == 1 else { return false }
    let valid = EVP_DigestVerify(context, signature, signature.count, message, message.count) == 1
    if !valid { ERR_clear_error() }
    return valid
  }
}

/// An Ed25519 private key, kept by its 32-byte seed.
package struct PrivateKey: Sendable {
  private let seed: [UInt8]
  package let publicKey: PublicKey

  package init?(seed: [UInt8]) {
    guard seed.count == 32 else { return nil }
    guard let key = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, nil, seed, seed.count) else { return nil }
    defer { EVP_PKEY_free(key) }
    var bytes = [UInt8](repeating: 0, count: PublicKey.byteCount)
    var count = bytes.count
    guard EVP_PKEY_get_raw_public_key(key, &bytes, &count) == 1, let publicKey = PublicKey(bytes: bytes)
    else {
      return nil
    }
    self.seed = seed
    self.publicKey = publicKey
  }

  /// A new key from the system's randomness.
  package static func generate() -> PrivateKey {
    var seed = [UInt8](repeating: 0, count: 32)
    precondition(RAND_bytes(&seed, 32) == 1, "OpenSSL has no randomness")
    guard let key = PrivateKey(seed: seed) else { preconditionFailure("any 32 bytes are an Ed25519 seed") }
    return key
  }

  /// For the key file, which nobody but its owner may read.
  package var hexSeed: String { seed.hex }

  package func sign(_ message: [UInt8]) -> [UInt8] {
    guard let key = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, nil, seed, seed.count),
      let context = EVP_MD_CTX_new()
    else { preconditionFailure("OpenSSL has no Ed25519") }
    defer {
      EVP_PKEY_free(key)
      EVP_MD_CTX_free(context)
    }
    var signature = [UInt8](repeating: 0, count: 64)
    var count = signature.count
    precondition(EVP_DigestSignInit(context, nil, nil, nil, key) == 1)
    precondition(EVP_DigestSign(context, &signature, &count, message, message.count) == 1)
    return signature
  }
}
