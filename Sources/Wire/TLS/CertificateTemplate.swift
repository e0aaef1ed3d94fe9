internal import Base
internal import COpenSSL

/// What a certificate shall say, before it is signed.
struct CertificateTemplate {
  var commonName: String
  var isAuthority: Bool
  /// In OpenSSL's words, such as `URI:spiffe://…,DNS:localhost`.
  var alternativeNames: [String]
  var extendedKeyUsage: String?
  /// In OpenSSL's words; `nil` is what an authority or a leaf needs.
  var keyUsage: String?
  /// Where others find the authority's list of revoked certificates.
  var revocationURL: String?
  /// Relative to now. The start lies a little back, for clocks that are not quite together.
  var startSeconds: Int = -300
  var endSeconds: Int

  static func authority(trustDomain: String, revocationURL: String, days: Int) -> CertificateTemplate {
    CertificateTemplate(
      commonName: "Marquee development authority", isAuthority: true,
      alternativeNames: ["URI:spiffe://\(trustDomain)"], extendedKeyUsage: nil, revocationURL: revocationURL,
      endSeconds: days * 86_400)
  }

  /// `path` is that of its SPIFFE URI: the role, then a name.
  static func leaf(
    trustDomain: String, path: String, name: String, hosts: [String], days: Int
  ) throws(Fault) -> CertificateTemplate {
    try check(name: name)
    var names = ["URI:spiffe://\(trustDomain)/\(path)"]
    for host in hosts {
      let isAddress =
        host.contains(":") || host.utf8.allSatisfy { $0 == UInt8(ascii: ".") || (48...57).contains($0) }
      try check(host: host)
      names.append(isAddress ? "IP:\(host)" : "DNS:\(host)")
    }
    return CertificateTemplate(
      commonName: name, isAuthority: false, alternativeNames: names,
      extendedKeyUsage: "serverAuth,clientAuth", endSeconds: days * 86_400)
  }

  // What goes into OpenSSL's comma-separated words must not bring words of its own.

  static func check(name: String) throws(Fault) {
    guard !name.isEmpty, name.utf8.count <= 64, name.utf8.allSatisfy(isPlain), name.first != "." else {
      throw Fault(
        .invalidArgument, "\(name.debugDescription) is no name: letters, digits, - _ . and at most 64")
    }
  }

  static func check(trustDomain: String) throws(Fault) {
    guard !trustDomain.isEmpty, trustDomain.utf8.count <= 255, trustDomain.utf8.allSatisfy(isPlain) else {
      throw Fault(
        .invalidArgument, "\(trustDomain.debugDescription) is no trust domain: letters, digits, - _ .")
    }
  }

  static func check(host: String) throws(Fault) {
    guard !host.isEmpty, host.utf8.count <= 253,
      host.utf8.allSatisfy({ isPlain($0) || $0 == UInt8(ascii: ":") })
    else {
      throw Fault(.invalidArgument, "\(host.debugDescription) is neither a host name nor an address")
    }
  }

  /// Where a list can be served: RFC 5280 wants HTTP, and not HTTPS, whose certificate would need a list itself.
  static func check(listURL url: String) throws(Fault) {
    let isSound =
      ["http://", "https://"].contains { url.hasPrefix($0) && url.utf8.count > $0.utf8.count }
      && url.utf8.count <= 512 && url.last != "/"
      && url.utf8.allSatisfy { isPlain($0) || [":", "/", "~", "%"].contains(Character(UnicodeScalar($0))) }
    guard isSound else {
      throw Fault(
        .invalidArgument,
        "\(url.debugDescription) is no URL for lists, which is http://HOST[:PORT][/PATH] without a slash at its end"
      )
    }
  }

  static func isPlain(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
      UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "."):
      true
    default: false
    }
  }

  // MARK: Signing

  /// Without an `issuer` the certificate signs itself.
  func sign(_ key: KeyPair, issuer: Certificate?, issuerKey: KeyPair) throws(Fault) -> Certificate {
    guard let handle = X509_new() else { preconditionFailure("out of memory") }
    let certificate = Certificate(handle: handle)
    var serial = [UInt8](repeating: 0, count: 16)
    guard RAND_bytes(&serial, 16) == 1 else { throw Fault(.internalError, "OpenSSL has no randomness") }
    serial[0] = serial[0] & 0x7f | 0x40
    let number = BN_bin2bn(serial, 16, nil)
    defer { BN_free(number) }
    let name = X509_get_subject_name(handle)
    guard X509_set_version(handle, 2) == 1,
      BN_to_ASN1_INTEGER(number, X509_get_serialNumber(handle)) != nil,
      X509_gmtime_adj(X509_getm_notBefore(handle), startSeconds) != nil,
      X509_gmtime_adj(X509_getm_notAfter(handle), endSeconds) != nil,
      X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC | 0x1000, commonName, -1, -1, 0) == 1,
      X509_set_issuer_name(handle, issuer.map { X509_get_subject_name($0.handle) } ?? name) == 1,
      X509_set_pubkey(handle, key.handle) == 1
    else { throw Fault(.internalError, "can't make a certificate: \(opensslText())") }
    try addExtensions(to: handle, issuer: issuer?.handle ?? handle)
    guard X509_sign(handle, issuerKey.handle, EVP_sha256()) > 0 else {
      throw Fault(.internalError, "can't sign a certificate: \(opensslText())")
    }
    return certificate
  }

  private func addExtensions(to handle: OpaquePointer, issuer: OpaquePointer) throws(Fault) {
    var context = X509V3_CTX()
    X509V3_set_ctx(&context, issuer, handle, nil, nil, 0)
    var extensions: [(Int32, String)] = [
      (NID_basic_constraints, isAuthority ? "critical,CA:TRUE,pathlen:0" : "critical,CA:FALSE"),
      (
        NID_key_usage,
        keyUsage ?? (isAuthority ? "critical,keyCertSign,cRLSign" : "critical,digitalSignature")
      ),
      (NID_subject_key_identifier, "hash"),
      (NID_subject_alt_name, alternativeNames.joined(separator: ",")),
    ]
    if let revocationURL { extensions.append((NID_crl_distribution_points, "URI:" + revocationURL)) }
    if let extendedKeyUsage { extensions.append((NID_ext_key_usage, extendedKeyUsage)) }
    // Behind the subject's key identifier, which a certificate that signs itself refers to.
    extensions.append((NID_authority_key_identifier, "keyid:always"))
    for (kind, value) in extensions where !value.isEmpty {
      guard let made = X509V3_EXT_conf_nid(nil, &context, kind, value) else {
        throw Fault(.invalidArgument, "a certificate can't have \(value): \(opensslText())")
      }
      defer { X509_EXTENSION_free(made) }
      guard X509_add_ext(handle, made, -1) == 1 else {
        throw Fault(.internalError, "can't add \(value) to a certificate: \(opensslText())")
      }
    }
  }
}
