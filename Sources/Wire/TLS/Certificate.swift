internal import Base
internal import COpenSSL

#if canImport(Glibc)
  internal import Glibc
#else
  internal import Darwin
#endif

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

  func pem() throws(Fault) -> [UInt8] { try memoryBytes("a certificate") { PEM_write_bio_X509($0, handle) } }

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

  /// Its subject, for people.
  var subject: String {
    X509_up_ref(handle)
    return PeerCertificate(certificate: handle).subject
  }

  var serial: SerialNumber? { SerialNumber(X509_get0_serialNumber(handle)) }
  var end: Timestamp? { RevocationList.timestamp(X509_get0_notAfter(handle)) }

  /// What its list is called, if it is an authority.
  func keyName() throws(Fault) -> String { try Wire.keyName(X509_get0_pubkey(handle)) }

  /// The first URI at which it says that its authority's list is.
  var revocationURL: String? {
    guard let points = X509_get_ext_d2i(handle, NID_crl_distribution_points, nil, nil) else { return nil }
    let stack = OpaquePointer(points)
    defer { CRL_DIST_POINTS_free(stack) }
    for index in 0..<max(0, OPENSSL_sk_num(stack)) {
      guard let point = OPENSSL_sk_value(stack, index)?.assumingMemoryBound(to: DIST_POINT.self).pointee,
        let name = point.distpoint?.pointee, name.type == 0, let names = name.name.fullname
      else { continue }
      for index in 0..<max(0, OPENSSL_sk_num(names)) {
        guard let value = OPENSSL_sk_value(names, index) else { continue }
        let text = Self.text(of: value.assumingMemoryBound(to: GENERAL_NAME.self).pointee)
        if let text, text.hasPrefix("URI:") { return String(text.dropFirst(4)) }
      }
    }
    return nil
  }
}
