internal import Base
internal import COpenSSL
internal import NIOCore

/// Owns one SSL with a memory BIO for each direction; lives on its event loop. Bytes in, bytes out, no socket.
final class TLSEngine {
  private let ssl: OpaquePointer
  /// What came from the network. Owned by `ssl`, like `output`.
  private let input: OpaquePointer
  private let output: OpaquePointer
  private let side: Session.Side
  private let clear: UnsafeMutableRawBufferPointer
  private(set) var isEstablished = false
  private let note = Note()

  /// What a verification that failed leaves for us.
  final class Note {
    var certificate: PeerCertificate?
  }

  /// Takes `ssl` over.
  init(ssl: OpaquePointer, side: Session.Side, host: String?) throws(Fault) {
    self.ssl = ssl
    self.side = side
    clear = .allocate(byteCount: 16 << 10, alignment: 16)
    guard let input = BIO_new(BIO_s_mem()), let output = BIO_new(BIO_s_mem()) else {
      preconditionFailure("out of memory")
    }
    self.input = input
    self.output = output
    SSL_set_bio(ssl, input, output)
    _ = SSL_set_ex_data(ssl, 0, Unmanaged.passUnretained(note).toOpaque())
    // An empty BIO is not the end: the rest is still on its way.
    _ = BIO_ctrl(input, BIO_C_SET_BUF_MEM_EOF_RETURN, -1, nil)
    switch side {
    case .server: SSL_set_accept_state(ssl)
    case .client:
      SSL_set_connect_state(ssl)
      if let host { try expect(host) }
    }
  }

  deinit {
    SSL_free(ssl)
    clear.deallocate()
  }

  private func expect(_ host: String) throws(Fault) {
    if X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host) == 1 { return }
    ERR_clear_error()
    let named = host.withCString { name in
      SSL_ctrl(
        ssl, SSL_CTRL_SET_TLSEXT_HOSTNAME, Int(TLSEXT_NAMETYPE_host_name),
        UnsafeMutableRawPointer(mutating: name))
    }
    guard named == 1, SSL_set1_host(ssl, host) == 1 else {
      throw Fault(.invalidArgument, "\(host) is no host name: \(opensslText())")
    }
  }

  /// Takes bytes from the network.
  func receive(_ bytes: UnsafeRawBufferPointer) {
    guard let base = bytes.baseAddress, bytes.count > 0 else { return }
    BIO_write(input, base, Int32(clamping: bytes.count))
  }

  /// Goes on with the handshake; true once it is over. Throws when there will be no connection.
  func shakeHands() throws(Fault) -> Bool {
    if isEstablished { return true }
    ERR_clear_error()
    let result = SSL_do_handshake(ssl)
    if result == 1 {
      guard hasHTTP2 else { throw Fault(.unavailable, "the peer doesn't speak HTTP/2 (ALPN h2) over TLS") }
      isEstablished = true
      return true
    }
    let error = SSL_get_error(ssl, result)
    guard error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE else {
      throw Fault(.unavailable, "TLS handshake failed: \(verificationText())")
    }
    return false
  }

  private var hasHTTP2: Bool {
    var name: UnsafePointer<UInt8>?
    var count: UInt32 = 0
    SSL_get0_alpn_selected(ssl, &name, &count)
    guard let name, count == 2 else { return false }
    return name[0] == UInt8(ascii: "h") && name[1] == UInt8(ascii: "2")
  }

  private func verificationText() -> String {
    let result = SSL_get_verify_result(ssl)
    guard result != Int(X509_V_OK) else { return opensslText() }
    ERR_clear_error()
    switch Int32(result) {
    case X509_V_ERR_CRL_HAS_EXPIRED:
      return "our list of revoked certificates has ended, and nobody is let in without: bring a newer one "
        + "(`marquee certs renew` makes one)"
    case X509_V_ERR_UNABLE_TO_GET_CRL:
      return "our lists of revoked certificates have none of the authority that signed the peer's certificate"
    default: break
    }
    return "the peer's certificate: " + String(cString: X509_verify_cert_error_string(result))
  }

  /// Hands on what the bytes received so far decrypt to, in pieces; false at the peer's end of the connection.
  func read<Failure: Error>(_ body: (UnsafeRawBufferPointer) throws(Failure) -> Void) throws -> Bool {
    while true {
      // What another user of OpenSSL left on this thread would be taken for our failure.
      ERR_clear_error()
      let count = SSL_read(ssl, clear.baseAddress, Int32(clear.count))
      if count > 0 {
        try body(UnsafeRawBufferPointer(rebasing: clear[..<Int(count)]))
        continue
      }
      switch SSL_get_error(ssl, count) {
      case SSL_ERROR_WANT_READ, SSL_ERROR_WANT_WRITE: return true
      case SSL_ERROR_ZERO_RETURN: return false
      default: throw Fault(.unavailable, "TLS failed: \(opensslText())")
      }
    }
  }

  /// Encrypts `bytes` into ``output``.
  func write(_ bytes: UnsafeRawBufferPointer) throws(Fault) {
    var rest = bytes
    while rest.count > 0 {
      ERR_clear_error()
      let count = SSL_write(ssl, rest.baseAddress, Int32(clamping: rest.count))
      guard count > 0 else { throw Fault(.unavailable, "TLS failed: \(opensslText())") }
      rest = UnsafeRawBufferPointer(rebasing: rest[Int(count)...])
    }
  }

  /// Says goodbye.
  func close() {
    guard isEstablished else { return }
    _ = SSL_shutdown(ssl)
    ERR_clear_error()
  }

  /// Moves what is to be sent to the network into `buffer`.
  func takeOutput(into buffer: inout ByteBuffer) {
    let pending = BIO_ctrl_pending(output)
    guard pending > 0 else { return }
    buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: pending) {
      max(0, Int(BIO_read(output, $0.baseAddress, Int32(clamping: pending))))
    }
  }

  var hasOutput: Bool { BIO_ctrl_pending(output) > 0 }

  /// The certificate that a peer showed and that made the handshake fail. Nothing in it is true.
  var refusedCertificate: PeerCertificate? { note.certificate }

  var hasCertificate: Bool { SSL_get0_peer_certificate(ssl) != nil }

  /// The peer's certificate with what it sent beside it, if it showed one.
  func withCertificates(_ body: (OpaquePointer, OpaquePointer?) -> Void) {
    guard let certificate = SSL_get0_peer_certificate(ssl) else { return }
    body(certificate, SSL_get_peer_cert_chain(ssl))
  }

  /// The peer's verified certificate.
  func peerCertificate() -> PeerCertificate? {
    guard SSL_get_verify_result(ssl) == Int(X509_V_OK), let certificate = SSL_get1_peer_certificate(ssl)
    else {
      return nil
    }
    return PeerCertificate(certificate: certificate)
  }
}
