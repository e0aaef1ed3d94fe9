internal import Base
internal import COpenSSL

#if canImport(Glibc)
  internal import Glibc
#else
  internal import Darwin
#endif

/// Owns one P-256 key pair of OpenSSL's.
final class KeyPair {
  let handle: OpaquePointer

  init(handle: OpaquePointer) { self.handle = handle }

  deinit { EVP_PKEY_free(handle) }

  static func generate() throws(Fault) -> KeyPair {
    guard let context = EVP_PKEY_CTX_new_id(EVP_PKEY_EC, nil) else {
      throw Fault(.internalError, "OpenSSL has no elliptic curves: \(opensslText())")
    }
    defer { EVP_PKEY_CTX_free(context) }
    var handle: OpaquePointer?
    guard EVP_PKEY_keygen_init(context) == 1, EVP_PKEY_CTX_set_group_name(context, "P-256") == 1,
      EVP_PKEY_keygen(context, &handle) == 1, let handle
    else { throw Fault(.internalError, "can't make a P-256 key: \(opensslText())") }
    return KeyPair(handle: handle)
  }

  static func read(_ path: String) throws(Fault) -> KeyPair {
    guard let file = BIO_new_file(path, "r") else {
      throw Fault(.notFound, "can't open \(path): \(opensslText())")
    }
    defer { BIO_free(file) }
    // Without an empty passphrase OpenSSL would ask at the terminal.
    var empty: CChar = 0
    guard let handle = PEM_read_bio_PrivateKey(file, nil, nil, &empty) else {
      throw Fault(.failedPrecondition, "\(path) is no private key in PEM: \(opensslText())")
    }
    return KeyPair(handle: handle)
  }

  /// PKCS #8, not encrypted.
  func pem() throws(Fault) -> [UInt8] {
    try memoryBytes("a private key") { PEM_write_bio_PKCS8PrivateKey($0, handle, nil, nil, 0, nil, nil) }
  }

  /// What its authority's list is called: the beginning of the key's identifier, as certificates show it.
  func name() throws(Fault) -> String { try keyName(handle) }
}

/// What `write` leaves in a memory BIO.
func memoryBytes(_ what: String, _ write: (OpaquePointer) -> Int32) throws(Fault) -> [UInt8] {
  guard let memory = BIO_new(BIO_s_mem()) else { preconditionFailure("out of memory") }
  defer { BIO_free(memory) }
  guard write(memory) == 1 else { throw Fault(.internalError, "can't write \(what): \(opensslText())") }
  var data: UnsafeMutablePointer<CChar>?
  let count = marquee_bio_get_mem_data(memory, &data)
  return [UInt8](UnsafeRawBufferPointer(start: data, count: max(0, count)))
}

/// The first eight bytes of SHA-1 over the public key, RFC 5280's first way to identify one (4.2.1.2), in hexadecimal.
func keyName(_ key: OpaquePointer?) throws(Fault) -> String {
  var count = 0
  guard EVP_PKEY_get_octet_string_param(key, "encoded-pub-key", nil, 0, &count) == 1 else {
    throw Fault(.failedPrecondition, "an authority's key has to be of an elliptic curve: \(opensslText())")
  }
  var bytes = [UInt8](repeating: 0, count: count)
  var digest = [UInt8](repeating: 0, count: Int(EVP_MAX_MD_SIZE))
  guard EVP_PKEY_get_octet_string_param(key, "encoded-pub-key", &bytes, count, &count) == 1,
    EVP_Q_digest(nil, "SHA1", nil, &bytes, count, &digest, nil) == 1
  else { throw Fault(.internalError, "can't identify a key: \(opensslText())") }
  return hexadecimal(digest.prefix(8))
}
