internal import Base
internal import COpenSSL

#if canImport(Glibc)
  internal import Glibc
#else
  internal import Darwin
#endif

/// Owns one list of the certificates that an authority has revoked (a CRL).
final class RevocationList {
  struct Entry: Equatable {
    var serial: SerialNumber
    var revoked: Timestamp
  }

  let handle: OpaquePointer

  init(handle: OpaquePointer) { self.handle = handle }

  deinit { X509_CRL_free(handle) }

  /// From when on the list is meant to be used.
  var start: Timestamp? { Self.timestamp(X509_CRL_get0_lastUpdate(handle)) }
  /// From then on nobody should go by it: there is a newer one.
  var end: Timestamp? { Self.timestamp(X509_CRL_get0_nextUpdate(handle)) }

  /// Counts an authority's lists; 0 when the list doesn't say.
  var number: Int64 {
    guard let found = X509_CRL_get_ext_d2i(handle, NID_crl_number, nil, nil) else { return 0 }
    let integer = found.assumingMemoryBound(to: ASN1_INTEGER.self)
    defer { ASN1_INTEGER_free(integer) }
    var number: Int64 = 0
    return ASN1_INTEGER_get_int64(&number, integer) == 1 ? number : 0
  }

  var entries: [Entry] {
    guard let stack = X509_CRL_get_REVOKED(handle) else { return [] }
    return (0..<max(0, OPENSSL_sk_num(stack))).compactMap { index in
      guard let value = OPENSSL_sk_value(stack, index) else { return nil }
      let entry = OpaquePointer(value)
      guard let serial = SerialNumber(X509_REVOKED_get0_serialNumber(entry)),
        let revoked = Self.timestamp(X509_REVOKED_get0_revocationDate(entry))
      else { return nil }
      return Entry(serial: serial, revoked: revoked)
    }
  }

  /// Whether the list says that it is that authority's. Authorities that follow each other have one name and two keys.
  func isOf(_ authority: Certificate) -> Bool {
    guard X509_NAME_cmp(X509_CRL_get_issuer(handle), X509_get_subject_name(authority.handle)) == 0 else {
      return false
    }
    guard let own = X509_get0_subject_key_id(authority.handle),
      let found = X509_CRL_get_ext_d2i(handle, NID_authority_key_identifier, nil, nil)
    else { return true }
    let identifier = found.assumingMemoryBound(to: AUTHORITY_KEYID.self)
    defer { AUTHORITY_KEYID_free(identifier) }
    guard let named = identifier.pointee.keyid else { return true }
    return ASN1_OCTET_STRING_cmp(named, own) == 0
  }

  func isSigned(by authority: Certificate) -> Bool {
    defer { ERR_clear_error() }
    guard let key = X509_get0_pubkey(authority.handle) else { return false }
    return X509_CRL_verify(handle, key) == 1
  }

  func pem() throws(Fault) -> [UInt8] { try bytes { PEM_write_bio_X509_CRL($0, handle) } }
  /// What is published at a distribution point (RFC 5280, 4.2.1.13).
  func der() throws(Fault) -> [UInt8] { try bytes { i2d_X509_CRL_bio($0, handle) } }

  /// Signs a list. Its start lies a little back, as that of certificates.
  static func sign(
    _ entries: [Entry], number: Int64, startSeconds: Int = -300, endSeconds: Int, issuer: Certificate,
    key: KeyPair
  ) throws(Fault) -> RevocationList {
    guard let handle = X509_CRL_new() else { preconditionFailure("out of memory") }
    let list = RevocationList(handle: handle)
    let (start, end) = (X509_gmtime_adj(nil, startSeconds), X509_gmtime_adj(nil, endSeconds))
    let count = ASN1_INTEGER_new()
    defer {
      ASN1_STRING_free(start)
      ASN1_STRING_free(end)
      ASN1_INTEGER_free(count)
    }
    guard X509_CRL_set_version(handle, 1) == 1,
      X509_CRL_set_issuer_name(handle, X509_get_subject_name(issuer.handle)) == 1,
      X509_CRL_set1_lastUpdate(handle, start) == 1, X509_CRL_set1_nextUpdate(handle, end) == 1,
      ASN1_INTEGER_set_int64(count, number) == 1,
      X509_CRL_add1_ext_i2d(handle, NID_crl_number, count, 0, 0) == 1
    else { throw Fault(.internalError, "can't make a list of revoked certificates: \(opensslText())") }
    for entry in entries { try list.add(entry) }
    var context = X509V3_CTX()
    X509V3_set_ctx(&context, issuer.handle, nil, nil, handle, 0)
    let identifier = X509V3_EXT_conf_nid(nil, &context, NID_authority_key_identifier, "keyid:always")
    defer { X509_EXTENSION_free(identifier) }
    guard identifier != nil, X509_CRL_add_ext(handle, identifier, -1) == 1, X509_CRL_sort(handle) == 1,
      X509_CRL_sign(handle, key.handle, EVP_sha256()) > 0
    else { throw Fault(.internalError, "can't sign a list of revoked certificates: \(opensslText())") }
    return list
  }

  private func add(_ entry: Entry) throws(Fault) {
    let serial = try entry.serial.integer()
    let revoked = ASN1_TIME_set(nil, time_t(entry.revoked.milliseconds / 1000))
    defer {
      ASN1_INTEGER_free(serial)
      ASN1_STRING_free(revoked)
    }
    guard let made = X509_REVOKED_new() else { preconditionFailure("out of memory") }
    guard X509_REVOKED_set_serialNumber(made, serial) == 1,
      X509_REVOKED_set_revocationDate(made, revoked) == 1, X509_CRL_add0_revoked(handle, made) == 1
    else {
      X509_REVOKED_free(made)
      throw Fault(.internalError, "can't list \(entry.serial) as revoked: \(opensslText())")
    }
  }

  private func bytes(_ write: (OpaquePointer) -> Int32) throws(Fault) -> [UInt8] {
    try memoryBytes("a list of revoked certificates", write)
  }

  static func timestamp(_ time: UnsafePointer<ASN1_TIME>?) -> Timestamp? {
    var parts = tm()
    guard let time, ASN1_TIME_to_tm(time, &parts) == 1 else { return nil }
    return Timestamp(milliseconds: Int64(timegm(&parts)) * 1000)
  }
}
