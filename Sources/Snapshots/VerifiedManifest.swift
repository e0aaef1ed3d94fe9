package import Base

/// A manifest whose signature and form were checked. Nothing else makes one, so nothing unverified is ever staged.
package struct VerifiedManifest: Sendable, Equatable {
  package let envelope: SignedBytes
  package let manifest: Manifest
  /// The SHA-256 of the manifest's bytes.
  package let digest: Digest

  package var sequence: UInt64 { manifest.sequence }

  /// What doesn't change with time: size, signature by a trusted key, form, and reader version, in this order. Enough
  /// for what is on our own disk, where an expired snapshot is still better than none.
  package init(_ envelope: SignedBytes, trusted: [PublicKey]) throws(Refusal) {
    guard envelope.payload.count <= Limits.manifestByteCountMax else {
      throw Refusal(
        .limitExceeded, at: "manifest",
        "has \(envelope.payload.count) bytes; \(Limits.manifestByteCountMax) are the most")
    }
    let payload = try envelope.verified(purpose: .manifest, trusted: trusted)
    manifest = try Manifest(bytes: payload)
    digest = Digest(of: payload)
    self.envelope = envelope
  }

  /// Everything that a manifest from outside must pass before anything of it is fetched or kept: the checks above,
  /// then its times, then the rules of sequences.
  package init(
    _ envelope: SignedBytes, trusted: [PublicKey], now: Timestamp, state: LibraryState
  ) throws(Refusal) {
    try self.init(envelope, trusted: trusted)
    guard manifest.created.milliseconds <= now.milliseconds + Manifest.clockSkewMilliseconds else {
      throw Refusal(
        .notYetValid, at: "manifest created_ms",
        "was made \((manifest.created.milliseconds - now.milliseconds) / 1000) s in our future: compare the clocks"
      )
    }
    guard now < manifest.expires else {
      throw Refusal(.expired, at: "manifest expires_ms", "expired at \(manifest.expires.milliseconds) ms")
    }
    try state.admit(sequence: manifest.sequence, digest: digest)
  }
}
