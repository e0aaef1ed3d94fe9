package import Base

// Going back, holding, and going on. Each verb is one transaction.

extension ControlNode {
  /// Carries out an operator's signed order: the regions go back to its sequence at once, and everything above it that
  /// was published to them is withdrawn there. A fix must be published after the order.
  ///
  /// The same order again is confirmed again and changes nothing.
  @discardableResult
  package func rollback(_ signed: SignedBytes, by who: String) throws(Fault) -> FleetStatus {
    let digest = Digest(of: signed.payload)
    let order: RollbackOrder
    do {
      order = try RollbackOrder(
        bytes: try signed.verified(purpose: .rollback, trusted: configuration.trustedKeys))
    } catch { throw Fault(refusal: error) }
    if state.orders.contains(digest) { return status() }
    try check(order)

    var changes: [FleetChange] = [.ordered(digest, signed, order)]
    var names: [String] = []
    for var region in try regions(named: order.region.isEmpty ? [] : [order.region]) {
      let newest = max(region.target, region.staging)
      guard newest > order.toSequence else { continue }
      guard newest <= order.fromSequence else {
        throw Fault(
          .aborted,
          "\(region.name) is at \(newest), the order goes back from \(order.fromSequence): give it again")
      }
      guard let isWithdrawn = state.offers[region.name]?[order.toSequence] else {
        throw Fault(.failedPrecondition, "\(order.toSequence) was never published to \(region.name)")
      }
      guard !isWithdrawn else {
        throw Fault(.failedPrecondition, "\(order.toSequence) was itself withdrawn in \(region.name)")
      }
      // Nothing was announced that lies above: only a staging is called off, which needs no order to the replicas.
      if region.target > order.toSequence {
        region.target = order.toSequence
        region.order = digest
      }
      region.staging = region.target < order.toSequence ? order.toSequence : 0
      region.halted = ""
      if region.pinned > order.toSequence { region.pinned = order.toSequence }
      changes += [.region(region), .withdrawn(region: region.name, above: order.toSequence)]
      names.append(region.name)
    }
    guard !names.isEmpty else {
      throw Fault(
        .failedPrecondition, "no region meant is above \(order.toSequence): nothing to go back from")
    }
    try commit(
      changes, by: who,
      what: "rollback \(names.joined(separator: ", ")) from \(order.fromSequence) to \(order.toSequence)")
    for name in names { advance(name) }
    return status()
  }

  private func check(_ order: RollbackOrder) throws(Fault) {
    let now = time.now
    guard order.issued <= now.advanced(bySeconds: 300) else {
      throw Fault(.failedPrecondition, "the order was issued in our future: compare the clocks")
    }
    guard now < order.expires else {
      throw Fault(.failedPrecondition, "the order has expired: give it again")
    }
    guard order.toSequence < order.fromSequence else {
      throw Fault(
        .invalidArgument, "an order goes back, not from \(order.fromSequence) to \(order.toSequence)")
    }
    guard let known = state.snapshots[order.toSequence] else {
      throw Fault(.notFound, "\(order.toSequence) is not in the registry; `status` lists what is")
    }
    guard known.digest == order.toDigest else {
      throw Fault(.failedPrecondition, "\(order.toSequence) has another digest here than in the order")
    }
  }

  /// Holds a region (empty: all) at a sequence; 0 is what it serves now. What is being staged is called off.
  @discardableResult
  package func pin(region: String, sequence: UInt64, by who: String) throws(Fault) -> FleetStatus {
    let regions = try regions(named: region.isEmpty ? [] : [region])
    var changes: [FleetChange] = []
    for var region in regions {
      let wanted = sequence == 0 ? region.target : sequence
      guard wanted != 0 else {
        throw Fault(
          .failedPrecondition, "\(region.name) serves nothing yet; publish first, or name a sequence")
      }
      guard wanted >= region.target else {
        throw Fault(
          .failedPrecondition,
          "\(region.name) serves \(region.target): going back to \(wanted) takes a signed rollback")
      }
      guard let isWithdrawn = state.offers[region.name]?[wanted] else {
        throw Fault(.notFound, "\(wanted) was not published to \(region.name)")
      }
      guard !isWithdrawn || wanted == region.target else {
        throw Fault(.failedPrecondition, "\(wanted) was withdrawn in \(region.name); publish a new snapshot")
      }
      region.pinned = wanted
      region.staging = wanted == region.target ? 0 : wanted
      region.halted = ""
      changes.append(.region(region))
    }
    try commit(
      changes, by: who, what: "pin \(named(regions)) at \(sequence == 0 ? "what it serves" : "\(sequence)")")
    for region in regions { advance(region.name) }
    return status()
  }

  /// Lets a region (empty: all) go on to the newest sequence that was neither withdrawn nor refused there.
  @discardableResult
  package func unpin(region: String, by who: String) throws(Fault) -> FleetStatus {
    let regions = try regions(named: region.isEmpty ? [] : [region])
    var changes: [FleetChange] = []
    for var region in regions where region.pinned != 0 {
      region.pinned = 0
      let newest = state.newestEligible(in: region.name)
      region.staging = newest > region.target ? newest : 0
      region.halted = ""
      changes.append(.region(region))
    }
    guard !changes.isEmpty else { throw Fault(.failedPrecondition, "\(named(regions)) is not pinned") }
    try commit(changes, by: who, what: "unpin \(named(regions))")
    for region in regions { advance(region.name) }
    return status()
  }

  private func named(_ regions: [FleetState.Region]) -> String {
    regions.map(\.name).joined(separator: ", ")
  }
}
