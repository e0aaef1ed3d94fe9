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
    try pemBytes { PEM_write_bio_PKCS8PrivateKey($0, handle, nil, nil, 0, nil, nil) }
  }
}

/// Owns one X.509 certificate.
final class Certificate {
  let handle: OpaquePointer

  init(handle: OpaquePointer) { self.handle = handle }

  deinit { X509_free(handle) }

  static func read(_ path: String) throws(Fault) -> Certificate {
    guard let file = BIO_new_file(path, "r") else {
      throw Fault(.notFound, "can't open \(path): \(opensslText())")
    }
    defer { BIO_free(file) }
    guard let handle = PEM_read_bio_X509(file, nil, nil, nil) else {
      throw Fault(.failedPrecondition, "\(path) is no certificate in PEM: \(opensslText())")
    }
    return Certificate(handle: handle)
  }

  func pem() throws(Fault) -> [UInt8] { try pemBytes { PEM_write_bio_X509($0, handle) } }

  /// Its URIs, hosts and addresses, as ``CertificateTemplate`` takes them.
  var alternativeNames: [String] {
    guard let names = X509_get_ext_d2i(handle, NID_subject_alt_name, nil, nil) else { return [] }
    let stack = OpaquePointer(names)
    defer { GENERAL_NAMES_free(stack) }
    return (0..<max(0, OPENSSL_sk_num(stack))).compactMap { index in
      OPENSSL_sk_value(stack, index).flatMap {
        Self.text(of: $0.assumingMemoryBound(to: GENERAL_NAME.self).pointee)
      }
    }
  }

  private static func text(of name: GENERAL_NAME) -> String? {
    let (prefix, string): (String, UnsafeMutablePointer<ASN1_STRING>?) =
      switch name.type {
      case GEN_URI: ("URI:", name.d.uniformResourceIdentifier)
      case GEN_DNS: ("DNS:", name.d.dNSName)
      case GEN_IPADD: ("IP:", name.d.iPAddress)
      default: ("", nil)
      }
    guard let string, let data = ASN1_STRING_get0_data(string) else { return nil }
    let bytes = UnsafeBufferPointer(start: data, count: Int(ASN1_STRING_length(string)))
    guard name.type == GEN_IPADD else { return prefix + String(decoding: bytes, as: UTF8.self) }
    var text = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
    let family = bytes.count == 4 ? AF_INET : AF_INET6
    guard bytes.count == 4 || bytes.count == 16,
      inet_ntop(family, bytes.baseAddress, &text, socklen_t(text.count)) != nil
    else { return nil }
    return prefix + String(decoding: text.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
  }

  var uris: [String] {
    // PeerCertificate frees the reference that it is given.
    X509_up_ref(handle)
    return PeerCertificate(certificate: handle).uris
  }
}

/// What `write` leaves in a memory BIO.
private func pemBytes(_ write: (OpaquePointer) -> Int32) throws(Fault) -> [UInt8] {
  guard let memory = BIO_new(BIO_s_mem()) else { preconditionFailure("out of memory") }
  defer { BIO_free(memory) }
  guard write(memory) == 1 else { throw Fault(.internalError, "can't write PEM: \(opensslText())") }
  var data: UnsafeMutablePointer<CChar>?
  let count = marquee_bio_get_mem_data(memory, &data)
  return [UInt8](UnsafeRawBufferPointer(start: data, count: max(0, count)))
}
