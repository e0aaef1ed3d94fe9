/// Which region serves whom: one table for the fleet, replaced as a whole under a rising epoch.
package struct RoutingTable: Sendable, Equatable {
  package struct Region: Sendable, Equatable {
    package var name: String
    /// The region that serves in its place; empty while it serves by itself.
    package var failedOverTo: String
    /// `host:port` of each replica.
    package var replicas: [String]
    /// Where a client goes when the region can't be reached, in order.
    package var fallbacks: [String]

    package init(name: String, failedOverTo: String = "", replicas: [String], fallbacks: [String] = []) {
      self.name = name
      self.failedOverTo = failedOverTo
      self.replicas = replicas
      self.fallbacks = fallbacks
    }
  }

  package var epoch: UInt64
  package var regions: [Region]

  package init(epoch: UInt64, regions: [Region]) {
    self.epoch = epoch
    self.regions = regions
  }

  package func region(named name: String) -> Region? { regions.first { $0.name == name } }

  /// Follows failovers from `name` to the region that serves it; `nil` if unknown or if they form a ring.
  package func serving(_ name: String) -> Region? {
    var current = region(named: name)
    for _ in 0...regions.count {
      guard let here = current else { return nil }
      if here.failedOverTo.isEmpty { return here }
      current = region(named: here.failedOverTo)
    }
    return nil
  }
}

/// The trailers by which a drained replica tells any client where to go.
package enum RoutingMetadata {
  package static let epoch = "marquee-routing-epoch"
  package static let region = "marquee-route-to"
  /// Comma-separated `host:port`.
  package static let replicas = "marquee-route-replicas"
}
