/// Bytes with an Ed25519 signature and the id of the key that made it: a manifest, or an operator's order.
package struct SignedBytes: Sendable, Equatable {
  package var payload: [UInt8]
  package var signature: [UInt8]
  package var keyID: String

  package init(payload: [UInt8], signature: [UInt8], keyID: String) {
    self.payload = payload
    self.signature = signature
    self.keyID = keyID
  }

  /// Signs `payload` for one purpose: bytes signed as a manifest are no valid order.
  package init(signing payload: [UInt8], purpose: Purpose, key: PrivateKey) {
    self.init(
      payload: payload, signature: key.sign(purpose.prefix + payload), keyID: key.publicKey.id)
  }

  package enum Purpose: String, Sendable {
    case manifest
    case rollback

    fileprivate var prefix: [UInt8] { Array("marquee \(rawValue)\n".utf8) }
  }

  /// The payload, if one of `trusted` signed it for this purpose.
  package func verified(purpose: Purpose, trusted: [PublicKey]) throws(Refusal) -> [UInt8] {
    guard let key = trusted.first(where: { $0.id == keyID }) else {
      throw Refusal(
        .untrustedKey, at: "signature", "made by key \(keyID.prefix(64)), which fleet.yaml does not trust")
    }
    guard signature.count == 64, key.verify(signature: signature, of: purpose.prefix + payload) else {
      throw Refusal(.badSignature, at: "signature", "is not key \(key.id)'s signature of these bytes")
    }
    return payload
  }
}
