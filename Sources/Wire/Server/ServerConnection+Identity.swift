internal import Base

extension ServerConnection {
  /// Who the peer is, by a certificate that TLS found in order. What it says may still make no caller of ours.
  func identity(
    in certificate: PeerCertificate, trustDomain: String
  ) throws(Fault) -> (role: Role, uri: String) {
    do throws(Fault) { return try certificate.identity(trustDomain: trustDomain) } catch {
      shared.audit?.record(
        AuditEvent(
          .identityRefused, peer: peer.address, uri: certificate.uriText, subject: certificate.subject,
          reason: error.message))
      throw error
    }
  }

  /// TLS did not come about. `certificate` is what the peer showed, as far as it got: nothing in it is verified.
  func auditHandshake(_ certificate: PeerCertificate?, _ fault: Fault) {
    shared.audit?.record(
      AuditEvent(
        .handshakeRefused, peer: peer.address, uri: certificate?.uriText, subject: certificate?.subject,
        reason: fault.message))
  }

  /// What a caller is told of a method that isn't for its role, once it is written down.
  func denial(of method: RPCMethod) -> Fault {
    let roles = peer.roles.map(\.rawValue).sorted().joined(separator: ", ")
    let fault = Fault(
      .permissionDenied, "\(method.path) is not for \(roles.isEmpty ? "callers without a role" : roles)")
    shared.audit?.record(
      AuditEvent(
        .methodDenied, peer: peer.address, role: peer.role, uri: peer.uri, subject: peer.subject,
        method: method.path, reason: fault.message))
    return fault
  }
}
