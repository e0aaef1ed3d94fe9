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
  /// It may sign others, so it isn't anybody's own: SPIFFE keeps the two apart.
  let isAuthority: Bool

  /// Takes `certificate` over, and frees it.
  init(certificate: OpaquePointer) {
    defer { X509_free(certificate) }
    subject = Self.subject(of: certificate)
    uris = Self.uris(of: certificate)
    let signs = X509_get_key_usage(certificate)
    let hasKeyUsage = X509_get_extension_flags(certificate) & UInt32(EXFLAG_KUSAGE) != 0
    isAuthority =
      X509_check_ca(certificate) != 0
      || hasKeyUsage && signs & UInt32(X509v3_KU_KEY_CERT_SIGN | X509v3_KU_CRL_SIGN) != 0
  }

  init(subject: String, uris: [String], isAuthority: Bool = false) {
    self.subject = subject
    self.uris = uris
    self.isAuthority = isAuthority
  }

  /// All of them, for an audit.
  var uriText: String? { uris.isEmpty ? nil : uris.joined(separator: " ") }

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

  /// Who the peer is: `spiffe://<trust domain>/<role>[/<name>]`, from exactly one URI, byte for byte: no escapes, no
  /// other case, no empty or dotted segments. Throws for any other.
  func identity(trustDomain: String) throws(Fault) -> (role: Role, uri: String) {
    guard !isAuthority else {
      throw Fault(.unauthenticated, "an authority's certificate is for signing others, not for calling")
    }
    guard uris.count == 1, let uri = uris.first else {
      throw Fault(
        .unauthenticated, "a certificate needs exactly one URI among its names; this one has \(uris.count)")
    }
    let bytes = uri.utf8
    let prefix = "spiffe://\(trustDomain)/".utf8
    guard bytes.count <= 2048, bytes.starts(with: prefix) else {
      throw Fault(.unauthenticated, "\(uri.cut(toByteCount: 256)) isn't of the trust domain \(trustDomain)")
    }
    let path = bytes.dropFirst(prefix.count).split(
      separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
    guard path.allSatisfy(Self.isSegment), let first = path.first,
      let role = Role.allCases.first(where: { $0.rawValue.utf8.elementsEqual(first) })
    else {
      throw Fault(.unauthenticated, "\(uri.cut(toByteCount: 256)) names no role")
    }
    return (role, uri)
  }

  /// A path segment as SPIFFE has it: letters, digits, `.`, `-`, `_`, and neither `.` nor `..`.
  private static func isSegment(_ bytes: Substring.UTF8View) -> Bool {
    guard !bytes.isEmpty, !bytes.elementsEqual(".".utf8), !bytes.elementsEqual("..".utf8) else {
      return false
    }
    return bytes.allSatisfy(CertificateTemplate.isPlain)
  }
}
