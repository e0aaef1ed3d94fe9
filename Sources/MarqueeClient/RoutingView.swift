internal import Base

/// The routing as this client knows it: the newest table, and what a drained replica said beyond it.
struct RoutingView: Sendable {
  /// Where a drained replica sent us, before the table that says so is here.
  struct Redirect: Sendable, Equatable {
    var epoch: UInt64
    /// The region that serves instead.
    var region: String
    var replicas: [String]

    /// From the trailers of an UNAVAILABLE; `nil` when they name no place.
    init?(_ fault: Fault) {
      guard fault.code == .unavailable,
        let epoch = fault.metadata[RoutingMetadata.epoch].flatMap(UInt64.init),
        let region = fault.metadata[RoutingMetadata.region], !region.isEmpty,
        let list = fault.metadata[RoutingMetadata.replicas]
      else { return nil }
      let replicas = list.split(separator: ",").prefix(Limits.replicaCountMax).map {
        String($0.trimmingPrefix(while: \.isWhitespace))
      }
      guard !replicas.isEmpty else { return nil }
      self.epoch = epoch
      self.region = region
      self.replicas = replicas
    }
  }

  /// How long a redirect counts. Long enough for any table to come; a replica that makes up an epoch doesn't hold
  /// this client for ever.
  private static let redirectMilliseconds: UInt64 = 10_000

  private(set) var table: RoutingTable?
  private var redirect: (place: Redirect, until: Instant)?

  /// The newest epoch that anything here comes from.
  var epoch: UInt64 { max(table?.epoch ?? 0, redirect?.place.epoch ?? 0) }

  /// Takes a table that is newer than what is known; an older one, or the same, changes nothing.
  mutating func learn(_ new: RoutingTable, now: Instant) -> Bool {
    if let redirect, redirect.until < now { self.redirect = nil }
    if let table, new.epoch <= table.epoch { return false }
    // Older than a redirect that we have seen: a replica that is behind.
    if let redirect, new.epoch < redirect.place.epoch { return false }
    table = new
    redirect = nil
    return true
  }

  /// Takes a redirect that is newer than what is known.
  mutating func learn(_ new: Redirect, now: Instant) -> Bool {
    guard new.epoch > epoch else { return false }
    redirect = (new, now.advanced(byMilliseconds: Self.redirectMilliseconds))
    return true
  }

  /// Replicas' addresses to try, region after region, the best first.
  ///
  /// The region that serves `home` comes first, then where its clients go when it can't be reached, then the same for
  /// the region that stands in. Drained regions are left out: they would only send us on.
  func groups(home: String) -> [[String]] {
    var groups: [[String]] = []
    var seen: Set<String> = []
    if let place = redirect?.place {
      groups.append(place.replicas)
      seen.insert(place.region)
    }
    guard let table else { return groups }
    func add(_ region: RoutingTable.Region?) {
      guard let region, seen.insert(region.name).inserted, !region.replicas.isEmpty else { return }
      groups.append(region.replicas)
    }
    let serving = table.serving(home)
    // With a redirect, home is the region that is drained, whatever the older table says.
    if redirect == nil { add(serving) } else if let serving { seen.insert(serving.name) }
    let fallbacks = (table.region(named: home)?.fallbacks ?? []) + (serving?.fallbacks ?? [])
    for name in fallbacks { add(table.serving(name)) }
    // A home that the routing doesn't know is no reason to have no rows.
    if table.region(named: home) == nil {
      for region in table.regions where region.failedOverTo.isEmpty { add(region) }
    }
    return groups
  }
}
