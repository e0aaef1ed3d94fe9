internal import Base
internal import COpenSSL

/// Certificates and keys from the bytes of PEM files.
enum PEM {
  /// Every certificate, in order; at least one.
  static func certificates(_ bytes: [UInt8], of path: String) throws(Fault) -> [Certificate] {
    let made = read(bytes) { memory -> [Certificate]? in
      var certificates: [Certificate] = []
      while let handle = PEM_read_bio_X509(memory, nil, nil, nil) {
        certificates.append(Certificate(handle: handle))
      }
      // The end is that no further one begins; anything else is damage, and what is behind it would be missed.
      let error = ERR_peek_last_error()
      return ERR_GET_REASON(error) == PEM_R_NO_START_LINE ? certificates : nil
    }
    guard let made, !made.isEmpty else {
      throw Fault(
        .failedPrecondition, "\(path) has no certificates in PEM, or a damaged one: \(opensslText())")
    }
    ERR_clear_error()
    return made
  }

  /// Every list of revoked certificates, in order; at least one.
  static func lists(_ bytes: [UInt8], of path: String) throws(Fault) -> [RevocationList] {
    let made = read(bytes) { memory -> [RevocationList]? in
      var lists: [RevocationList] = []
      while let handle = PEM_read_bio_X509_CRL(memory, nil, nil, nil) {
        lists.append(RevocationList(handle: handle))
      }
      return ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE ? lists : nil
    }
    guard let made, !made.isEmpty else {
      throw Fault(
        .failedPrecondition,
        "\(path) has no lists of revoked certificates in PEM, or a damaged one: \(opensslText())")
    }
    ERR_clear_error()
    return made
  }

  static func privateKey(_ bytes: [UInt8], of path: String) throws(Fault) -> KeyPair {
    // Without an empty passphrase OpenSSL would ask at the terminal.
    var empty: CChar = 0
    let handle = read(bytes) { PEM_read_bio_PrivateKey($0, nil, nil, &empty) }
    guard let handle else {
      throw Fault(.failedPrecondition, "\(path) is no private key in PEM: \(opensslText())")
    }
    return KeyPair(handle: handle)
  }

  private static func read<Result>(_ bytes: [UInt8], _ body: (OpaquePointer) -> Result?) -> Result? {
    bytes.withUnsafeBytes { buffer -> Result? in
      guard let base = buffer.baseAddress, let memory = BIO_new_mem_buf(base, Int32(clamping: buffer.count))
      else { return nil }
      defer { BIO_free(memory) }
      return body(memory)
    }
  }
}
