internal import Base
internal import COpenSSL

/// Mozilla's intermediate profile (guidelines 5.7), and what HTTP/2 and mutual TLS add to it.
enum TLSProfile {
  /// TLS 1.2's ciphers in the profile's order. Those with finite-field Diffie-Hellman are left out: nobody who speaks
  /// HTTP/2 needs them.
  static let ciphers = [
    "ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-RSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384",
    "ECDHE-RSA-AES256-GCM-SHA384", "ECDHE-ECDSA-CHACHA20-POLY1305", "ECDHE-RSA-CHACHA20-POLY1305",
  ]
  static let ciphersuites = [
    "TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256",
  ]
  static let groups = ["X25519", "prime256v1", "secp384r1"]
  /// No SHA-1, nothing below 112 bits.
  static let signatures = [
    "ECDSA+SHA256", "ECDSA+SHA384", "ECDSA+SHA512", "ed25519", "RSA-PSS+SHA256", "RSA-PSS+SHA384",
    "RSA-PSS+SHA512", "RSA+SHA256", "RSA+SHA384", "RSA+SHA512",
  ]

  static func set(on context: OpaquePointer, side: Session.Side) throws(Fault) {
    SSL_CTX_set_security_level(context, 2)
    guard marquee_ssl_ctx_set_min_proto_version(context, TLS1_2_VERSION) == 1,
      marquee_ssl_ctx_set_max_proto_version(context, TLS1_3_VERSION) == 1,
      SSL_CTX_set_cipher_list(context, ciphers.joined(separator: ":")) == 1,
      SSL_CTX_set_ciphersuites(context, ciphersuites.joined(separator: ":")) == 1,
      marquee_ssl_ctx_set_groups(context, groups.joined(separator: ":")) == 1,
      marquee_ssl_ctx_set_signature_algorithms(context, signatures.joined(separator: ":")) == 1
    else { throw Fault(.internalError, "OpenSSL refuses the TLS profile: \(opensslText())") }
    _ = marquee_ssl_ctx_set_mode(
      context,
      Int(
        SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS
          // What the chain's file has is sent, and not also the authority, which the peer has to have itself.
          | SSL_MODE_NO_AUTO_CHAIN))
    _ = SSL_CTX_set_options(context, UInt64(1) << 30 /* SSL_OP_NO_RENEGOTIATION */)
    _ = SSL_CTX_set_options(context, UInt64(1) << 17 /* SSL_OP_NO_COMPRESSION */)
    // The profile leaves the order to the client, since all of these are good; scanners call that a fault. So it is the
    // profile's order, and for a client that would rather have ChaCha20, because it has no AES in hardware, that.
    _ = SSL_CTX_set_options(context, UInt64(1) << 22 /* SSL_OP_CIPHER_SERVER_PREFERENCE */)
    _ = SSL_CTX_set_options(context, UInt64(1) << 21 /* SSL_OP_PRIORITIZE_CHACHA */)
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
