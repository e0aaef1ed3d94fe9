package import Base

extension ControlNode {
  /// A failover (`to` names a region) or a failback (`to` is empty). Returns the new table when it is durable; it is
  /// on its way to all replicas and watchers then.
  ///
  /// Throws ABORTED when the epoch is not the expected one, FAILED_PRECONDITION when the order makes no sense; the
  /// metadata names the epoch now.
  @discardableResult
  package func route(_ order: RoutingOrder, by who: String) throws(Fault) -> RoutingTable {
    let table = try RoutingChange(order).applied(to: state.routing)
    let what =
      order.to.isEmpty ? "failback \(order.from)" : "failover \(order.from) to \(order.to)"
    try commit([.routing(table)], by: who, what: "\(what), epoch \(table.epoch)")
    pushRouting()
    return table
  }
}

/// The rules of failing over and back. Pure.
struct RoutingChange {
  private let order: RoutingOrder

  init(_ order: RoutingOrder) { self.order = order }

  /// The table after the order, under the next epoch.
  func applied(to table: RoutingTable) throws(Fault) -> RoutingTable {
    let known = table.regions.map(\.name).joined(separator: ", ")
    for name in [order.from] + (order.to.isEmpty ? [] : [order.to]) where table.region(named: name) == nil {
      throw fault("no region `\(name.prefix(64))`; known are \(known)", table)
    }
    guard order.from != order.to else {
      throw fault("\(order.from) can't be failed over to itself; name another region", table)
    }
    guard order.expectedEpoch == table.epoch else {
      throw Fault(
        .aborted,
        "the routing is at epoch \(table.epoch), this order saw \(order.expectedEpoch): look at it again, then decide",
        metadata: [RoutingMetadata.epoch: String(table.epoch)])
    }
    var next = table
    guard let index = next.regions.firstIndex(where: { $0.name == order.from }) else { return table }
    let now = next.regions[index].failedOverTo
    if order.to.isEmpty {
      guard !now.isEmpty else { throw fault("\(order.from) is not failed over", table) }
    } else {
      guard now.isEmpty else {
        throw fault("\(order.from) is failed over to \(now) already; fail it back first", table)
      }
      if let beyond = table.region(named: order.to)?.failedOverTo, !beyond.isEmpty {
        throw fault("\(order.to) is itself failed over to \(beyond); name a region that serves", table)
      }
    }
    next.regions[index].failedOverTo = order.to
    next.epoch += 1
    return next
  }

  private func fault(_ message: String, _ table: RoutingTable) -> Fault {
    Fault(.failedPrecondition, message, metadata: [RoutingMetadata.epoch: String(table.epoch)])
  }
}
