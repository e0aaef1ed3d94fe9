package import Base
internal import COpenSSL

extension DevelopmentAuthority {
  /// Makes the certificate of `<name>.pem` anew, with a new key: the same URI, hosts and uses, another `days`. The files
  /// are replaced one after the other; who reads them between the two finds that they don't belong together, and waits.
  package func renew(name: String, in target: String, days: Int = 90) throws(Fault) -> Files {
    try CertificateTemplate.check(name: name)
    let old = try Certificate.read("\(target)/\(name).pem")
    let names = old.alternativeNames
    let uris = names.filter { $0.hasPrefix("URI:") }.map { String($0.dropFirst(4)) }
    _ = try PeerCertificate(subject: name, uris: uris).identity(trustDomain: trustDomain)
    let template = CertificateTemplate(
      commonName: name, isAuthority: false, alternativeNames: names,
      extendedKeyUsage: "serverAuth,clientAuth", endSeconds: days * 86_400)
    return try issue(template, name: name, into: target)
  }

  /// A new authority beside the old: both are trusted by whoever gets the new `authority.pem`, and the new one signs from
  /// now on. The old one's key is gone; it leaves a list of what it revoked that is good as long as itself. Throws while an
  /// earlier roll hasn't been finished by ``retire()``. `listBase` is that of the old one when `nil`.
  package func roll(listBase: String? = nil, days: Int = 365) throws(Fault) {
    try PrivateFile.withLock(on: directory) { () throws(Fault) in
      try rollAlone(listBase: listBase, days: days)
    }
  }

  private func rollAlone(listBase: String?, days: Int) throws(Fault) {
    let (bundle, old, oldKey) = try signer()
    guard try PEM.certificates(bundle, of: certificatePath).count == 1 else {
      throw Fault(
        .failedPrecondition, "\(certificatePath) has an old authority already: retire it before the next roll"
      )
    }
    let oldBase = old.revocationURL.flatMap { url in
      url.lastIndex(of: "/").map { String(url[..<$0]) }
    }
    let (key, certificate) = try make(
      listBase: listBase ?? oldBase ?? Self.defaultListBase(trustDomain), days: days)
    // The lists first: one too many is no harm, one too few is.
    try firstList(certificate, key, beside: [try lastList(old, oldKey)])
    // Then the bundle: should we be stopped between the two, the old key still finds its certificate there.
    try PrivateFile.write(try certificate.pem() + bundle, to: certificatePath, mode: 0o644)
    try PrivateFile.write(key.pem(), to: keyPath, mode: 0o600)
  }

  /// Takes every certificate but the signing one out of `authority.pem`: what others signed is refused from then on by
  /// whoever gets it. Returns how many were taken out.
  package func retire() throws(Fault) -> Int {
    let (bundle, certificate, _) = try signer()
    let count = try PEM.certificates(bundle, of: certificatePath).count
    try PrivateFile.write(certificate.pem(), to: certificatePath, mode: 0o644)
    try dropOtherLists(certificate)
    return count - 1
  }

  /// Puts the authority's certificates and lists where an endpoint looks for them.
  package func distribute(to target: String) throws(Fault) { try distribute(try signer().bundle, to: target) }

  func distribute(_ bundle: [UInt8], to target: String) throws(Fault) {
    guard target != directory else { return }
    if hasList { try distributeList(to: target) }
    try PrivateFile.write(bundle, to: target + "/authority.pem", mode: 0o644)
  }
}
