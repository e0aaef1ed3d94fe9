package import Base

package struct ServerConfiguration: Sendable {
  /// A name or address to listen at; `port` 0 takes a free one.
  package var host: String
  package var port: Int
  package var tls: TLSConfiguration?
  /// Plain text on anything but loopback refuses to start without this.
  package var allowPlaintextBeyondLoopback: Bool
  /// The roles of callers that show no certificate: over plain text, or over TLS that doesn't require one.
  package var anonymousRoles: Set<Role>
  package var limits: WireLimits
  /// Threads that read and write.
  package var loopCount: Int

  package init(
    host: String, port: Int, tls: TLSConfiguration?, allowPlaintextBeyondLoopback: Bool = false,
    anonymousRoles: Set<Role> = [], limits: WireLimits = WireLimits(), loopCount: Int = 1
  ) {
    self.host = host
    self.port = port
    self.tls = tls
    self.allowPlaintextBeyondLoopback = allowPlaintextBeyondLoopback
    self.anonymousRoles = anonymousRoles
    self.limits = limits
    self.loopCount = loopCount
  }
}
