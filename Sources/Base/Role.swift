/// Who a peer is, from the SPIFFE URI of its certificate: `spiffe://<trust domain>/<role>[/<name>]`.
package enum Role: String, Sendable, CaseIterable, Hashable {
  /// Calls Rank and records events.
  case edgeClient = "edge-client"
  /// A replica: follows the control node and serves chunks to the replicas of its region.
  case edge
  /// The control node.
  case control
  /// An operator: publishes, rolls back, fails regions over.
  case ops
}
