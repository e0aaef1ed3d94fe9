internal import Base
internal import COpenSSL

#if canImport(Glibc)
  internal import Glibc
#else
  internal import Darwin
#endif

/// Owns one SSL_CTX: the certificates and rules that every connection of an endpoint shares.
///
/// Guard for `@unchecked Sendable`: nothing is set after init, and OpenSSL counts references under its own lock.
final class TLSContext: @unchecked Sendable {
  private let context: OpaquePointer
  let side: Session.Side
  private let configuration: TLSConfiguration
  private let time: any TimeSource
  /// In which peers are looked up, if they are.
  private(set) var revocations: RevocationLists?

  convenience init(
    _ configuration: TLSConfiguration, side: Session.Side, time: any TimeSource = SystemTime()
  ) throws(Fault) {
    try self.init(configuration, files: try TLSFiles.read(configuration), side: side, time: time)
  }

  /// From bytes that were read before; `configuration` gives their names and the rules.
  init(
    _ configuration: TLSConfiguration, files: TLSFiles, side: Session.Side, time: any TimeSource
  ) throws(Fault) {
    guard let context = SSL_CTX_new(side == .server ? TLS_server_method() : TLS_client_method()) else {
      throw Fault(.internalError, "OpenSSL has no TLS: \(opensslText())")
    }
    self.context = context
    self.side = side
    self.configuration = configuration
    self.time = time
    // From here a throw runs deinit, which frees the context.
    try TLSProfile.set(on: context, side: side)
    try setIdentity(files)
    try setAuthorities(files)
  }

  deinit { SSL_CTX_free(context) }

  /// A connection's engine. `host` is what a client dialled: the server's certificate must be for it.
  func makeEngine(host: String?) throws(Fault) -> TLSEngine {
    guard let ssl = SSL_new(context) else { throw Fault(.internalError, "no TLS session: \(opensslText())") }
    X509_VERIFY_PARAM_set_time(SSL_get0_param(ssl), seconds)
    return try TLSEngine(
      ssl: ssl, side: side, host: side == .client ? configuration.serverName ?? host : nil)
  }

  /// A client's look at the server that it reached: throws when it has none of the roles that it must have.
  func admitServer(_ certificate: PeerCertificate?) throws(Fault) {
    let wanted = configuration.serverRoles
    guard !wanted.isEmpty else { return }
    var reason = "it shows no certificate"
    if let certificate {
      do throws(Fault) {
        let role = try certificate.identity(trustDomain: configuration.trustDomain).role
        if wanted.contains(role) { return }
        reason = "its role is \(role.rawValue)"
      } catch { reason = error.message }
    }
    let names = wanted.map(\.rawValue).sorted().joined(separator: " or ")
    throw Fault(.unavailable, "the server's certificate isn't that of \(names): \(reason)")
  }

  /// What a look at a peer finds that was let in before the files changed.
  enum Standing { case trusted, withdrawn, revoked }

  /// Whether certificates that were verified by another context would be by this one. Who shows none is trusted where
  /// none is required.
  func standing(of peer: TLSEngine) -> Standing {
    if !peer.hasCertificate { return configuration.requireClientCertificate ? .withdrawn : .trusted }
    guard let store = SSL_CTX_get_cert_store(context), let verification = X509_STORE_CTX_new() else {
      return .withdrawn
    }
    defer {
      X509_STORE_CTX_free(verification)
      ERR_clear_error()
    }
    var standing = Standing.withdrawn
    peer.withCertificates { certificate, chain in
      guard X509_STORE_CTX_init(verification, store, certificate, chain) == 1,
        X509_STORE_CTX_set_default(verification, side == .server ? "ssl_client" : "ssl_server") == 1
      else { return }
      X509_VERIFY_PARAM_set_time(X509_STORE_CTX_get0_param(verification), seconds)
      if X509_verify_cert(verification) == 1 {
        standing = .trusted
      } else if X509_STORE_CTX_get_error(verification) == X509_V_ERR_CERT_REVOKED {
        standing = .revoked
      }
    }
    return standing
  }

  /// Whether the peer's certificate is in a list: what ``standing(of:)`` finds too, without verifying anything.
  func isRevoked(_ peer: TLSEngine) -> Bool {
    guard let revocations else { return false }
    var isRevoked = false
    peer.withCertificates { certificate, _ in isRevoked = revocations.have(certificate) }
    return isRevoked
  }

  /// By our clock, not by OpenSSL's.
  private var seconds: time_t { time_t(time.now.milliseconds / 1000) }

  private func setIdentity(_ files: TLSFiles) throws(Fault) {
    guard let chain = files.chain, let key = files.key, let chainPath = configuration.certificateChainFile,
      let keyPath = configuration.privateKeyFile
    else {
      guard side == .client else {
        throw Fault(.failedPrecondition, "a TLS server needs a certificate chain file and a private key file")
      }
      return
    }
    let certificates = try PEM.certificates(chain, of: chainPath)
    let pair = try PEM.privateKey(key, of: keyPath)
    for (index, certificate) in certificates.enumerated() {
      if index == 0 {
        guard SSL_CTX_use_certificate(context, certificate.handle) == 1 else {
          throw Fault(.failedPrecondition, "can't use the certificate in \(chainPath): \(opensslText())")
        }
        continue
      }
      X509_up_ref(certificate.handle)
      guard marquee_ssl_ctx_add_chain(context, certificate.handle) == 1 else {
        X509_free(certificate.handle)
        throw Fault(.failedPrecondition, "can't use an intermediate in \(chainPath): \(opensslText())")
      }
    }
    guard SSL_CTX_use_PrivateKey(context, pair.handle) == 1, SSL_CTX_check_private_key(context) == 1 else {
      throw Fault(
        .failedPrecondition, "the private key \(keyPath) isn't that of \(chainPath): \(opensslText())")
    }
  }

  private func setAuthorities(_ files: TLSFiles) throws(Fault) {
    let authorities = try PEM.certificates(files.authorities, of: configuration.authoritiesFile)
    let store = SSL_CTX_get_cert_store(context)
    for authority in authorities {
      guard X509_STORE_add_cert(store, authority.handle) == 1 else {
        throw Fault(
          .failedPrecondition,
          "can't use an authority in \(configuration.authoritiesFile): \(opensslText())")
      }
    }
    if let revocations = files.revocations, let path = configuration.revocationsFile {
      let lists = try RevocationLists(revocations, of: path, authorities: authorities, now: time.now)
      try lists.set(on: store, of: path)
      self.revocations = lists
    }
    switch side {
    case .client: SSL_CTX_set_verify(context, SSL_VERIFY_PEER, noteRefusal)
    case .server:
      guard configuration.requireClientCertificate else { return }
      SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, noteRefusal)
      for authority in authorities {
        guard SSL_CTX_add_client_CA(context, authority.handle) == 1 else {
          throw Fault(.internalError, "can't name an authority to clients: \(opensslText())")
        }
      }
    }
  }
}

/// Leaves what the peer showed where ``TLSEngine/refusedCertificate`` finds it; decides nothing.
private let noteRefusal: @convention(c) (Int32, OpaquePointer?) -> Int32 = { isGood, verification in
  guard isGood != 1, let verification,
    let ssl = X509_STORE_CTX_get_ex_data(verification, SSL_get_ex_data_X509_STORE_CTX_idx()),
    let note = SSL_get_ex_data(OpaquePointer(ssl), 0),
    let certificate = X509_STORE_CTX_get0_cert(verification)
  else { return isGood }
  X509_up_ref(certificate)
  Unmanaged<TLSEngine.Note>.fromOpaque(note).takeUnretainedValue().certificate = PeerCertificate(
    certificate: certificate)
  return isGood
}

/// The text of OpenSSL's last error on this thread; clears its queue.
func opensslText() -> String {
  var text = [CChar](repeating: 0, count: 256)
  let code = ERR_peek_last_error()
  ERR_clear_error()
  guard code != 0 else { return "no further reason" }
  ERR_error_string_n(code, &text, text.count)
  return String(decoding: text.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
}
