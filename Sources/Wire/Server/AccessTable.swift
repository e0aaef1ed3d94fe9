internal import Base

/// Who may call what: every method of every service that a node of the fleet serves, with the roles that it admits.
///
/// This is the one place that says so. A method that is registered and not named here is for nobody, so a new one is
/// shut until somebody has opened it in this table.
package struct AccessTable: Sendable {
  package static let fleet = AccessTable([
    // Clients rank and record; operators may, to see what clients see.
    ("/marquee.v1.Ranking/Rank", [.edgeClient, .ops]),
    ("/marquee.v1.Events/Record", [.edgeClient, .ops]),
    // Where to call is no secret within the fleet.
    ("/marquee.v1.Routing/GetRouting", [.edgeClient, .edge, .control, .ops]),
    ("/marquee.v1.Routing/WatchRouting", [.edgeClient, .edge, .control, .ops]),
    // Snapshots travel between nodes; no client reads a catalogue.
    ("/marquee.v1.Chunks/Fetch", [.edge, .control]),
    // Only replicas follow.
    ("/marquee.v1.Fleet/Follow", [.edge]),
    // Only operators steer.
    ("/marquee.v1.Operations/Publish", [.ops]),
    ("/marquee.v1.Operations/MissingChunks", [.ops]),
    ("/marquee.v1.Operations/Rollback", [.ops]),
    ("/marquee.v1.Operations/Pin", [.ops]),
    ("/marquee.v1.Operations/Unpin", [.ops]),
    ("/marquee.v1.Operations/Status", [.ops]),
    ("/marquee.v1.Operations/Route", [.ops]),
    // What tools and load balancers ask. It tells nothing of the fleet's data.
    ("/grpc.health.v1.Health/Check", .everyone),
    ("/grpc.health.v1.Health/List", .everyone),
    ("/grpc.health.v1.Health/Watch", .everyone),
    ("/grpc.reflection.v1.ServerReflection/ServerReflectionInfo", .everyone),
    ("/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", .everyone),
  ])

  private let rows: [String: RPCMethod.Admission]

  init(_ rows: [(path: String, admits: RPCMethod.Admission)]) {
    self.rows = Dictionary(rows) { _, _ in preconditionFailure("a method has two rows in the access table") }
  }

  package var paths: [String] { rows.keys.sorted() }

  /// For a method that has no row: nobody.
  package subscript(_ path: String) -> RPCMethod.Admission { rows[path] ?? .nobody }

  func names(_ path: String) -> Bool { rows[path] != nil }
}
