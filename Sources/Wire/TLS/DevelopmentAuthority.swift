package import Base
internal import COpenSSL

#if canImport(Glibc)
  internal import Glibc
#else
  internal import Darwin
#endif

/// A certificate authority for development: one directory with its certificate (`authority.pem`) and its private key
/// (`authority.key`, readable by its owner only). Whoever has that key can be any role.
///
/// While it is rolled, `authority.pem` holds the new certificate and the old: both are trusted, the new one signs.
package struct DevelopmentAuthority: Sendable {
  /// Where the files of an issued certificate are, ready for a ``TLSConfiguration``.
  package struct Files: Sendable, Equatable {
    package var certificateChain: String
    package var privateKey: String
    package var authorities: String
    package var revocations: String
    package var trustDomain: String

    package func configuration(requireClientCertificate: Bool = true) -> TLSConfiguration {
      TLSConfiguration(
        certificateChainFile: certificateChain, privateKeyFile: privateKey, authoritiesFile: authorities,
        trustDomain: trustDomain, revocationsFile: revocations, requiresRevocations: false,
        requireClientCertificate: requireClientCertificate)
    }
  }

  package static let loopbackHosts = ["localhost", "127.0.0.1", "::1"]

  package let directory: String
  package let trustDomain: String
  var certificatePath: String { directory + "/authority.pem" }
  var keyPath: String { directory + "/authority.key" }

  private init(directory: String, trustDomain: String) {
    self.directory = directory
    self.trustDomain = trustDomain
  }

  /// Makes a new authority and its first list of revoked certificates. Throws `alreadyExists` when the directory has one.
  /// The list is said to be at `listBase`/NAME.crl; `nil` is ``defaultListBase(_:)``.
  package static func create(
    in directory: String, trustDomain: String, listBase: String? = nil, days: Int = 365
  ) throws(Fault) -> DevelopmentAuthority {
    try CertificateTemplate.check(trustDomain: trustDomain)
    let authority = DevelopmentAuthority(directory: directory, trustDomain: trustDomain)
    guard access(authority.keyPath, F_OK) != 0, access(authority.certificatePath, F_OK) != 0 else {
      throw Fault(.alreadyExists, "\(directory) has an authority already; use it, or remove it first")
    }
    let (key, certificate) = try authority.make(
      listBase: listBase ?? defaultListBase(trustDomain), days: days)
    try makeDirectory(directory)
    try PrivateFile.write(key.pem(), to: authority.keyPath, mode: 0o600)
    try PrivateFile.write(certificate.pem(), to: authority.certificatePath, mode: 0o644)
    try authority.firstList(certificate, key, beside: [])
    return authority
  }

  /// A key, and the authority's certificate for it.
  func make(listBase: String, days: Int) throws(Fault) -> (KeyPair, Certificate) {
    try CertificateTemplate.check(listURL: listBase)
    let key = try KeyPair.generate()
    let template = CertificateTemplate.authority(
      trustDomain: trustDomain, revocationURL: "\(listBase)/\(try key.name()).crl", days: days)
    return (key, try template.sign(key, issuer: nil, issuerKey: key))
  }

  /// The authority that a directory has. The trust domain is in its certificate.
  package static func open(_ directory: String) throws(Fault) -> DevelopmentAuthority {
    let certificate = try Certificate.read(directory + "/authority.pem")
    let prefix = "spiffe://"
    guard let uri = certificate.uris.first, uri.hasPrefix(prefix) else {
      throw Fault(
        .failedPrecondition, "\(directory)/authority.pem names no trust domain: it isn't one of ours")
    }
    return DevelopmentAuthority(directory: directory, trustDomain: String(uri.dropFirst(prefix.count)))
  }

  /// Makes a certificate for `spiffe://<trust domain>/<role>/<name>`, good for a server at `hosts` and for a client:
  /// `<name>.pem` and `<name>.key` in `target`, with a copy of the authority's certificate. Replaces those there.
  package func issue(
    role: Role, name: String, hosts: [String] = [], into target: String, days: Int = 90
  ) throws(Fault) -> Files {
    let template = try CertificateTemplate.leaf(
      trustDomain: trustDomain, path: "\(role.rawValue)/\(name)", name: name,
      hosts: Self.loopbackHosts + hosts, days: days)
    return try issue(template, name: name, into: target)
  }

  func issue(_ template: CertificateTemplate, name: String, into target: String) throws(Fault) -> Files {
    try CertificateTemplate.check(name: name)
    try ensureList()
    let (bundle, issuer, issuerKey) = try signer()
    let key = try KeyPair.generate()
    var template = template
    if hasList {
      let known = "\(Self.defaultListBase(trustDomain))/\(try issuer.keyName()).crl"
      template.revocationURL = issuer.revocationURL ?? known
    }
    let certificate = try template.sign(key, issuer: issuer, issuerKey: issuerKey)
    let files = Files(
      certificateChain: "\(target)/\(name).pem", privateKey: "\(target)/\(name).key",
      authorities: "\(target)/authority.pem",
      revocations: "\(target)/authority.crl", trustDomain: trustDomain)
    try Self.makeDirectory(target)
    try PrivateFile.write(key.pem(), to: files.privateKey, mode: 0o600)
    try PrivateFile.write(certificate.pem(), to: files.certificateChain, mode: 0o644)
    try distribute(bundle, to: target)
    return files
  }

  /// The bundle's bytes, and the certificate in it that the key belongs to: the one that signs.
  func signer() throws(Fault) -> (bundle: [UInt8], certificate: Certificate, key: KeyPair) {
    let bundle = try readBundle()
    let key = try KeyPair.read(keyPath)
    for certificate in try PEM.certificates(bundle, of: certificatePath) {
      if X509_check_private_key(certificate.handle, key.handle) == 1 { return (bundle, certificate, key) }
    }
    ERR_clear_error()
    throw Fault(.failedPrecondition, "\(keyPath) is the key of no certificate in \(certificatePath)")
  }

  private func readBundle() throws(Fault) -> [UInt8] {
    do { return try SystemDisk().read(certificatePath, limit: TLSFiles.bytesMax) } catch {
      throw Fault(.failedPrecondition, "can't read \(certificatePath): \(error.message)")
    }
  }

  static func makeDirectory(_ path: String) throws(Fault) {
    do { try SystemDisk().createDirectory(path) } catch {
      throw Fault(.failedPrecondition, "can't make \(path): \(error.message)")
    }
  }
}
