internal import Base
internal import COpenSSL

/// XN_FLAG_RFC2253: a macro of casts, which doesn't import. Comma-separated, reversed, special characters escaped.
private let rfc2253: UInt =
  UInt(ASN1_STRFLGS_ESC_2253 | ASN1_STRFLGS_ESC_CTRL | ASN1_STRFLGS_ESC_MSB | ASN1_STRFLGS_UTF8_CONVERT)
  | UInt(ASN1_STRFLGS_DUMP_UNKNOWN | ASN1_STRFLGS_DUMP_DER)
  | UInt(XN_FLAG_SEP_COMMA_PLUS | XN_FLAG_DN_REV | XN_FLAG_FN_SN | XN_FLAG_DUMP_UNKNOWN_FIELDS)

/// What a verified certificate says about who the peer is.
struct PeerCertificate: Sendable {
  /// Subject in RFC 2253's form, for people and logs; nothing is decided by it.
  let subject: String
  /// Every URI among its alternative names.
  let uris: [String]

  /// Takes `certificate` over, and frees it.
  init(certificate: OpaquePointer) {
    defer { X509_free(certificate) }
    subject = Self.subject(of: certificate)
    uris = Self.uris(of: certificate)
  }

  init(subject: String, uris: [String]) {
    self.subject = subject
    self.uris = uris
  }

  private static func subject(of certificate: OpaquePointer) -> String {
    guard let memory = BIO_new(BIO_s_mem()) else { return "" }
    defer { BIO_free(memory) }
    guard X509_NAME_print_ex(memory, X509_get_subject_name(certificate), 0, rfc2253) >= 0 else {
      ERR_clear_error()
      return ""
    }
    var data: UnsafeMutablePointer<CChar>?
    let count = marquee_bio_get_mem_data(memory, &data)
    return String(
      decoding: UnsafeRawBufferPointer(start: data, count: max(0, min(count, 1024))), as: UTF8.self)
  }

  private static func uris(of certificate: OpaquePointer) -> [String] {
    guard let names = X509_get_ext_d2i(certificate, NID_subject_alt_name, nil, nil) else { return [] }
    let stack = OpaquePointer(names)
    defer { GENERAL_NAMES_free(stack) }
    var uris: [String] = []
    for index in 0..<max(0, OPENSSL_sk_num(stack)) {
      guard let element = OPENSSL_sk_value(stack, index) else { continue }
      let name = element.assumingMemoryBound(to: GENERAL_NAME.self)
      guard name.pointee.type == GEN_URI, let text = name.pointee.d.uniformResourceIdentifier else {
        continue
      }
      let count = Int(ASN1_STRING_length(text))
      guard let data = ASN1_STRING_get0_data(text) else { continue }
      uris.append(String(decoding: UnsafeBufferPointer(start: data, count: count), as: UTF8.self))
    }
    return uris
  }

  /// Who the peer is: `spiffe://<trust domain>/<role>[/<name>]`, from exactly one URI. Throws for any other.
  func identity(trustDomain: String) throws(Fault) -> (role: Role, uri: String) {
    guard uris.count == 1, let uri = uris.first else {
      throw Fault(
        .unauthenticated, "a certificate needs exactly one URI among its names; this one has \(uris.count)")
    }
    let prefix = "spiffe://\(trustDomain)/"
    guard uri.utf8.count <= 2048, uri.hasPrefix(prefix) else {
      throw Fault(.unauthenticated, "\(uri.prefix(256)) isn't of the trust domain \(trustDomain)")
    }
    let path = uri.dropFirst(prefix.count).split(separator: "/", omittingEmptySubsequences: false)
    guard !path.contains(where: \.isEmpty), let first = path.first, let role = Role(rawValue: String(first))
    else {
      throw Fault(.unauthenticated, "\(uri.prefix(256)) names no role")
    }
    return (role, uri)
  }
}
