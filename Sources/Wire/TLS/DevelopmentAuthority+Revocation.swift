package import Base
internal import COpenSSL

#if canImport(Glibc)
  internal import Glibc
#else
  internal import Darwin
#endif

extension DevelopmentAuthority {
  /// What a command says of the list that it signed.
  package struct ListReport: Sendable, Equatable {
    package var path: String
    package var number: Int64
    package var end: Timestamp
    package var revokedCount: Int
  }

  package static let listDays = 90
  package static let listDaysRange = 1...3650

  /// The lists of the authorities in `authority.pem`, PEM: what nodes and clients read.
  package var listPath: String { directory + "/authority.crl" }
  /// One file for each authority, DER: what a web server shows at the URL in the certificates. No key is in there.
  package var publishedDirectory: String { directory + "/lists" }

  /// Where the lists of a trust domain's authorities are when nobody said. Its owner can put a server there.
  static func defaultListBase(_ trustDomain: String) -> String { "http://crl.\(trustDomain)" }

  /// Signs the list anew, with these certificates in it as well. Those that are in it stay in it.
  package func relist(revoking serials: [SerialNumber] = [], days: Int = listDays) throws(Fault) -> ListReport
  {
    guard Self.listDaysRange.contains(days) else {
      throw Fault(.invalidArgument, "a list is good for 1 to 3650 days, not \(days)")
    }
    return try PrivateFile.withLock(on: directory) { () throws(Fault) in
      let (bundle, authority, key) = try signer()
      let (own, others) = try lists(of: authority)
      let authorities = try PEM.certificates(bundle, of: certificatePath)
      for old in authorities where X509_cmp(old.handle, authority.handle) != 0 {
        // It would have to sign, and its key is gone.
        guard others.contains(where: { $0.isOf(old) }) else {
          throw Fault(
            .failedPrecondition,
            "\(certificatePath) has an old authority that left no list: retire it before the first list")
        }
      }
      let list = try signed(own, revoking: serials, endSeconds: days * 86_400, authority, key)
      try write([list] + others)
      try publish(list, of: authority)
      return ListReport(
        path: listPath, number: list.number, end: list.end ?? Timestamp(milliseconds: 0),
        revokedCount: list.entries.count)
    }
  }

  /// Whether there is a list: not before the first command that could sign one.
  var hasList: Bool { access(listPath, F_OK) == 0 }

  /// An authority from before there were lists can't have one during its roll.
  package func canList() throws(Fault) -> Bool {
    if hasList { return true }
    return try PEM.certificates(try signer().bundle, of: certificatePath).count == 1
  }

  func ensureList() throws(Fault) { if !hasList, try canList() { _ = try relist() } }

  /// Puts the lists where an endpoint looks for them.
  package func distributeList(to target: String) throws(Fault) {
    guard target != directory else { return }
    try PrivateFile.write(try readList(), to: target + "/authority.crl", mode: 0o644)
  }

  /// The last list of an authority whose key goes: for as long as it could be trusted.
  func lastList(_ authority: Certificate, _ key: KeyPair) throws(Fault) -> RevocationList {
    let (own, _) = try lists(of: authority)
    let end = authority.end ?? SystemTime().now
    let seconds = max(0, (end.milliseconds - SystemTime().now.milliseconds) / 1000)
    let list = try signed(own, revoking: [], endSeconds: Int(seconds), authority, key)
    try publish(list, of: authority)
    return list
  }

  /// The first list of a new authority.
  func firstList(_ authority: Certificate, _ key: KeyPair, beside others: [RevocationList]) throws(Fault) {
    let list = try RevocationList.sign(
      [], number: 1, endSeconds: Self.listDays * 86_400, issuer: authority, key: key)
    try write([list] + others)
    try publish(list, of: authority)
  }

  /// Leaves the lists of `authority` alone in the file.
  func dropOtherLists(_ authority: Certificate) throws(Fault) {
    guard hasList, let own = try lists(of: authority).own else { return }
    try write([own])
  }

  /// The serial number of the certificate that somebody means: by its file, by its name in `folder`, or by itself.
  /// Throws when the certificate isn't one that this list is for.
  package func serial(of target: String, in folder: String) throws(Fault) -> SerialNumber {
    let named = "\(folder)/\(target).pem"
    let paths: [String] = [named, target]
    guard let path = paths.first(where: { access($0, F_OK) == 0 }) else {
      do throws(Fault) { return try SerialNumber(target) } catch {
        throw Fault(
          .notFound,
          "\(target) is neither a certificate's file, nor a serial number, and there is no \(named)")
      }
    }
    let certificate = try Certificate.read(path)
    let (_, authority, _) = try signer()
    guard X509_cmp(certificate.handle, authority.handle) != 0 else {
      throw Fault(
        .invalidArgument, "\(path) is the authority itself: put another in its place (`certs roll`)")
    }
    let isOurs = X509_verify(certificate.handle, X509_get0_pubkey(authority.handle)) == 1
    ERR_clear_error()
    guard isOurs, let serial = certificate.serial else {
      throw Fault(
        .invalidArgument,
        "\(path) isn't signed by the key of \(certificatePath), so its list can't revoke it; what an old "
          + "authority signed ends with it (`certs retire`)")
    }
    return serial
  }

  // MARK: Files

  private func lists(of authority: Certificate) throws(Fault) -> (
    own: RevocationList?, others: [RevocationList]
  ) {
    guard hasList else { return (nil, []) }
    let all = try PEM.lists(try readList(), of: listPath)
    let own = all.filter { $0.isOf(authority) }
    guard own.allSatisfy({ $0.isSigned(by: authority) }) else {
      throw Fault(
        .failedPrecondition, "\(listPath) was changed by somebody without the authority's key: restore it")
    }
    return (own.max { $0.number < $1.number }, all.filter { !$0.isOf(authority) })
  }

  func readList() throws(Fault) -> [UInt8] {
    do { return try SystemDisk().read(listPath, limit: TLSFiles.listBytesMax) } catch {
      throw Fault(.failedPrecondition, "can't read \(listPath): \(error.message)")
    }
  }

  private func signed(
    _ old: RevocationList?, revoking serials: [SerialNumber], endSeconds: Int, _ authority: Certificate,
    _ key: KeyPair
  ) throws(Fault) -> RevocationList {
    var entries = old?.entries ?? []
    let now = SystemTime().now
    for serial in serials where !entries.contains(where: { $0.serial == serial }) {
      entries.append(RevocationList.Entry(serial: serial, revoked: now))
    }
    return try RevocationList.sign(
      entries, number: (old?.number ?? 0) + 1, endSeconds: endSeconds, issuer: authority, key: key)
  }

  private func write(_ lists: [RevocationList]) throws(Fault) {
    var bytes: [UInt8] = []
    for list in lists { bytes += try list.pem() }
    guard bytes.count <= TLSFiles.listBytesMax else {
      throw Fault(.resourceExhausted, "\(listPath) is full: put another authority in this one's place")
    }
    try PrivateFile.write(bytes, to: listPath, mode: 0o644)
  }

  private func publish(_ list: RevocationList, of authority: Certificate) throws(Fault) {
    try Self.makeDirectory(publishedDirectory)
    try PrivateFile.write(
      try list.der(), to: "\(publishedDirectory)/\(try authority.keyName()).crl", mode: 0o644)
  }
}
