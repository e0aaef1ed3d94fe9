internal import Base

/// What all connections of a server share; immutable but for the counters.
struct ServerShared: Sendable {
  let methods: MethodTable
  let limits: WireLimits
  let anonymousRoles: Set<Role>
  let trustDomain: String?
  let time: any TimeSource
  let counters: ServerCounters
  /// A factor about 1 for each connection's age.
  let jitter: @Sendable () -> Double
  let audit: AuditLog?
  let observer: (@Sendable (CallRecord) -> Void)?
}
