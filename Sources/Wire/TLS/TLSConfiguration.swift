package import Base

/// The files that make a TLS endpoint, all PEM.
package struct TLSConfiguration: Sendable, Equatable {
  /// Our certificate, then its intermediates.
  package var certificateChainFile: String?
  /// Nobody but its owner may read it, or the endpoint refuses to start.
  package var privateKeyFile: String?
  /// The authorities that a peer's certificate must come from.
  package var authoritiesFile: String
  /// The trust domain of the SPIFFE URIs that are believed, such as `marquee.example`.
  package var trustDomain: String
  /// The authorities' lists of the certificates that they revoked: peers are looked up in them. `nil` asks nothing.
  package var revocationsFile: String?
  /// Whether that file has to be there. Where it doesn't, it still has to when our own certificate says that there is a
  /// list, and once it was there.
  package var requiresRevocations: Bool
  /// For a server: no certificate, no connection.
  package var requireClientCertificate: Bool
  /// For a client: the name or address that the server's certificate must have, when it isn't the host dialled.
  package var serverName: String?
  /// For a client: the roles of which a server has to be one, so that no caller's certificate can pose as a server.
  /// Empty asks nothing, for servers that are none of the fleet's.
  package var serverRoles: Set<Role>

  package init(
    certificateChainFile: String?, privateKeyFile: String?, authoritiesFile: String, trustDomain: String,
    revocationsFile: String? = nil, requiresRevocations: Bool = true,
    requireClientCertificate: Bool = true, serverName: String? = nil, serverRoles: Set<Role> = []
  ) {
    self.certificateChainFile = certificateChainFile
    self.privateKeyFile = privateKeyFile
    self.authoritiesFile = authoritiesFile
    self.trustDomain = trustDomain
    self.revocationsFile = revocationsFile
    self.requiresRevocations = requiresRevocations
    self.requireClientCertificate = requireClientCertificate
    self.serverName = serverName
    self.serverRoles = serverRoles
  }

  /// The list's file if peers are looked up in it; `nil` when it needn't be there, and isn't.
  package func presentRevocationsFile() throws(Fault) -> String? {
    try TLSFiles.read(self).revocations == nil ? nil : revocationsFile
  }
}
