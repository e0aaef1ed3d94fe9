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
  let trustDomain: String
  private let serverName: String?

  init(_ configuration: TLSConfiguration, side: Session.Side) throws(Fault) {
    guard let context = SSL_CTX_new(side == .server ? TLS_server_method() : TLS_client_method()) else {
      throw Fault(.internalError, "OpenSSL has no TLS: \(opensslText())")
    }
    self.context = context
    self.side = side
    trustDomain = configuration.trustDomain
    serverName = configuration.serverName
    // From here a throw runs deinit, which frees the context.
    try Self.setRules(context, side: side)
    try Self.setIdentity(context, configuration, side: side)
    try Self.setAuthorities(context, configuration, side: side)
  }

  deinit { SSL_CTX_free(context) }

  /// A connection's engine. `host` is what a client dialled: the server's certificate must be for it.
  func makeEngine(host: String?) throws(Fault) -> TLSEngine {
    guard let ssl = SSL_new(context) else { throw Fault(.internalError, "no TLS session: \(opensslText())") }
    return try TLSEngine(ssl: ssl, side: side, host: side == .client ? serverName ?? host : nil)
  }

  /// Mozilla's intermediate profile.
  private static func setRules(_ context: OpaquePointer, side: Session.Side) throws(Fault) {
    let ciphers =
      "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:"
      + "ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305"
    guard marquee_ssl_ctx_set_min_proto_version(context, TLS1_2_VERSION) == 1,
      SSL_CTX_set_cipher_list(context, ciphers) == 1
    else { throw Fault(.internalError, "OpenSSL refuses the TLS profile: \(opensslText())") }
    _ = marquee_ssl_ctx_set_mode(
      context,
      Int(SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS))
    _ = SSL_CTX_set_options(context, UInt64(1) << 30 /* SSL_OP_NO_RENEGOTIATION */)
    _ = SSL_CTX_set_options(context, UInt64(1) << 17 /* SSL_OP_NO_COMPRESSION */)
    // No sessions are resumed, so that every connection shows its certificate.
    _ = SSL_CTX_set_options(context, UInt64(1) << 14 /* SSL_OP_NO_TICKET */)
    _ = SSL_CTX_ctrl(context, SSL_CTRL_SET_SESS_CACHE_MODE, Int(SSL_SESS_CACHE_OFF), nil)
    if side == .server {
      _ = SSL_CTX_set_num_tickets(context, 0)
      SSL_CTX_set_alpn_select_cb(context, chooseProtocol, nil)
    } else {
      let offer: [UInt8] = [2, UInt8(ascii: "h"), UInt8(ascii: "2")]
      guard SSL_CTX_set_alpn_protos(context, offer, UInt32(offer.count)) == 0 else {
        throw Fault(.internalError, "OpenSSL refuses ALPN: \(opensslText())")
      }
    }
  }

  private static func setIdentity(
    _ context: OpaquePointer, _ configuration: TLSConfiguration, side: Session.Side
  ) throws(Fault) {
    guard let chain = configuration.certificateChainFile, let key = configuration.privateKeyFile else {
      guard side == .client else {
        throw Fault(.failedPrecondition, "a TLS server needs a certificate chain file and a private key file")
      }
      return
    }
    try requirePrivate(key)
    guard SSL_CTX_use_certificate_chain_file(context, chain) == 1 else {
      throw Fault(.failedPrecondition, "can't read the certificate chain \(chain): \(opensslText())")
    }
    guard SSL_CTX_use_PrivateKey_file(context, key, SSL_FILETYPE_PEM) == 1,
      SSL_CTX_check_private_key(context) == 1
    else {
      throw Fault(
        .failedPrecondition,
        "the private key \(key) can't be read, or isn't that of \(chain): \(opensslText())")
    }
  }

  private static func setAuthorities(
    _ context: OpaquePointer, _ configuration: TLSConfiguration, side: Session.Side
  ) throws(Fault) {
    let file = configuration.authoritiesFile
    guard SSL_CTX_load_verify_locations(context, file, nil) == 1 else {
      throw Fault(.failedPrecondition, "can't read the authorities \(file): \(opensslText())")
    }
    switch side {
    case .client: SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nil)
    case .server:
      guard configuration.requireClientCertificate else { return }
      SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nil)
      guard let names = SSL_load_client_CA_file(file) else {
        throw Fault(.failedPrecondition, "no authority in \(file): \(opensslText())")
      }
      SSL_CTX_set_client_CA_list(context, names)
    }
  }

  private static func requirePrivate(_ path: String) throws(Fault) {
    var status = stat()
    guard stat(path, &status) == 0 else {
      throw Fault(.failedPrecondition, "can't read the private key \(path): \(errnoText())")
    }
    guard status.st_mode & 0o077 == 0 else {
      throw Fault(
        .failedPrecondition,
        "the private key \(path) can be read by others than its owner: chmod 600 it, and consider it known")
    }
  }
}

/// Server's choice of protocol: h2, or no connection.
private let chooseProtocol:
  @convention(c) (
    OpaquePointer?, UnsafeMutablePointer<UnsafePointer<UInt8>?>?, UnsafeMutablePointer<UInt8>?,
    UnsafePointer<UInt8>?, UInt32, UnsafeMutableRawPointer?
  ) -> Int32 = { _, chosen, chosenCount, offer, offerCount, _ in
    guard let offer else { return SSL_TLSEXT_ERR_ALERT_FATAL }
    let count = Int(offerCount)
    var index = 0
    while index < count {
      let size = Int(offer[index])
      guard index + 1 + size <= count else { break }
      if size == 2, offer[index + 1] == UInt8(ascii: "h"), offer[index + 2] == UInt8(ascii: "2") {
        chosen?.pointee = offer + index + 1
        chosenCount?.pointee = 2
        return SSL_TLSEXT_ERR_OK
      }
      index += 1 + size
    }
    return SSL_TLSEXT_ERR_ALERT_FATAL
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
