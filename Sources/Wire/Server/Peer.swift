package import Base

/// A peer that many calls hold at once.
final class Caller: Sendable {
  let peer: Peer

  init(_ peer: Peer) { self.peer = peer }
}

/// Who is at the other end of a connection.
package struct Peer: Sendable, Equatable {
  /// From the certificate; without one (plain text) `nil`.
  package var role: Role?
  /// The roles that its calls may use: that of the certificate, or those that the server gives to plain text.
  package var roles: Set<Role>
  /// The SPIFFE URI of its certificate.
  package var uri: String?
  /// The subject of its certificate, for people.
  package var subject: String?
  package var address: String

  package init(
    role: Role? = nil, roles: Set<Role> = [], uri: String? = nil, subject: String? = nil, address: String
  ) {
    self.role = role
    self.roles = roles
    self.uri = uri
    self.subject = subject
    self.address = address
  }
}
