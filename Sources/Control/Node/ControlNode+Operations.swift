package import Base

// Going back, holding, and going on. Each verb is one transaction.

extension ControlNode {
  /// Carries out an operator's signed order: the regions go back to its sequence at once, and everything above it that
  /// was published to them is withdrawn there. A fix must be published after the order. An order that leads forward
  /// brings a withdrawn sequence back, from the very sequence that is served.
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
    for region in try regions(named: order.region.isEmpty ? [] : [order.region]) {
      let step =
        order.leadsForward
        ? try restoring(region, order, digest) : try goingBack(region, order, digest)
      guard !step.isEmpty else { continue }
      changes += step
      names.append(region.name)
    }
    guard !names.isEmpty else {
      throw Fault(
        .failedPrecondition,
        order.leadsForward
          ? "every region meant serves \(order.toSequence): nothing to restore"
          : "no region meant is above \(order.toSequence): nothing to go back from")
    }
    let verb = order.leadsForward ? "restore" : "rollback"
    try commit(
      changes, by: who,
      what: "\(verb) \(names.joined(separator: ", ")) from \(order.fromSequence) to \(order.toSequence)")
    for name in names { advance(name) }
    return status()
  }

  /// A region's changes for a step back; none when it is not above the order's target.
  private func goingBack(
    _ old: FleetState.Region, _ order: RollbackOrder, _ digest: Digest
  ) throws(Fault) -> [FleetChange] {
    var region = old
    let newest = max(region.target, region.staging)
    guard newest > order.toSequence else { return [] }
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
    return [.region(region), .withdrawn(region: region.name, above: order.toSequence)]
  }

  /// A region's changes to serve a withdrawn sequence again; none when it serves it already.
  ///
  /// Replicas hold what was rolled back from as withdrawn, and take it only with the order and only from their disk:
  /// one that doesn't have it any more can't be brought there.
  private func restoring(
    _ old: FleetState.Region, _ order: RollbackOrder, _ digest: Digest
  ) throws(Fault) -> [FleetChange] {
    var region = old
    let sequence = order.toSequence
    guard region.target != sequence else { return [] }
    guard region.target == order.fromSequence, region.staging == 0 else {
      throw Fault(
        .aborted,
        "\(region.name) is at \(max(region.target, region.staging)), the order starts from \(order.fromSequence): "
          + "give it again")
    }
    guard let isWithdrawn = state.offers[region.name]?[sequence] else {
      throw Fault(.failedPrecondition, "\(sequence) was never published to \(region.name)")
    }
    guard isWithdrawn else {
      throw Fault(
        .failedPrecondition, "\(sequence) is not withdrawn in \(region.name): `pin --sequence` goes there")
    }
    for (_, follower) in followers(of: region.name) {
      let name = follower.name?.replica ?? ""
      if let known = follower.name, let refusal = state.refusal(of: order.toDigest, by: known) {
        throw Fault(.failedPrecondition, Rollout.reason(name, sequence, refusal))
      }
      guard follower.has(sequence) else {
        throw Fault(
          .failedPrecondition,
          "replica \(name) hasn't got \(sequence) on its disk any more: build it under a new sequence, and publish"
        )
      }
    }
    region.target = sequence
    region.order = digest
    region.halted = ""
    if region.pinned != 0 { region.pinned = sequence }
    return [.restored(region: region.name, sequence: sequence), .region(region)]
  }

  private func check(_ order: RollbackOrder) throws(Fault) {
    let now = time.now
    guard order.issued <= now.advanced(bySeconds: 300) else {
      throw Fault(.failedPrecondition, "the order was issued in our future: compare the clocks")
    }
    guard now < order.expires else {
      throw Fault(.failedPrecondition, "the order has expired: give it again")
    }
    guard order.toSequence != order.fromSequence else {
      throw Fault(.invalidArgument, "an order from \(order.fromSequence) to itself leads nowhere")
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
        throw Fault(
          .failedPrecondition,
          "\(wanted) was withdrawn in \(region.name): `restore` brings it back, by a signed order")
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
