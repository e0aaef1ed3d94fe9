internal import Base

/// What a region needs next, from what is durable and what its connected replicas say. Pure: the control node carries
/// the steps out, in order, and asks again after a `complete` or a `halt`.
///
/// A region moves like this: the staging sequence is sent to every connected replica; when all of them (one at least)
/// have it, it becomes the target, durably, and only then is it announced, to all of them together. Whoever connects
/// later is brought to the target.
struct Rollout {
  enum Step: Equatable {
    /// The staging sequence is at every connected replica: it becomes the target.
    case complete(UInt64)
    case halt(String)
    case stage(FollowerID, UInt64)
    case announce(FollowerID, UInt64)
  }

  var region: FleetState.Region
  var state: FleetState
  /// The region's replicas that have said hello, in a fixed order.
  var followers: [(id: FollowerID, follower: Follower)]

  var steps: [Step] {
    var steps: [Step] = []
    var busy: Set<FollowerID> = Set(followers.filter { $0.follower.isStaging }.map(\.id))
    // A replica that serves nothing is first brought to what its region serves.
    stage(region.target, where: { $0.status.serving == 0 }, busy: &busy, into: &steps)
    if region.staging != 0, region.halted.isEmpty {
      if let reason = refusalOfStaging { return [.halt(reason)] }
      if !followers.isEmpty, followers.allSatisfy({ $0.follower.has(region.staging) }) {
        return [.complete(region.staging)]
      }
      stage(region.staging, where: { _ in true }, busy: &busy, into: &steps)
    }
    // Not below what it serves: a replica takes no older snapshot, it only goes back to one that it still has.
    stage(region.target, where: { $0.status.serving < region.target }, busy: &busy, into: &steps)
    announceTarget(into: &steps)
    return steps
  }

  private var refusalOfStaging: String? {
    guard let digest = state.snapshots[region.staging]?.digest else { return nil }
    for (_, follower) in followers {
      guard let name = follower.name, let refusal = state.refusal(of: digest, by: name) else { continue }
      return Self.reason(name.replica, region.staging, refusal)
    }
    return nil
  }

  static func reason(_ replica: String, _ sequence: UInt64, _ refusal: Refusal) -> String {
    "replica \(replica) refused \(sequence): \(refusal)"
  }

  private func stage(
    _ sequence: UInt64, where wanted: (Follower) -> Bool, busy: inout Set<FollowerID>,
    into steps: inout [Step]
  ) {
    guard sequence != 0, let digest = state.snapshots[sequence]?.digest else { return }
    for (id, follower) in followers {
      guard !busy.contains(id), !follower.has(sequence), follower.status.serving != sequence,
        wanted(follower),
        !isRefused(digest, by: follower)
      else { continue }
      busy.insert(id)
      steps.append(.stage(id, sequence))
    }
  }

  private func announceTarget(into steps: inout [Step]) {
    guard region.target != 0, let digest = state.snapshots[region.target]?.digest else { return }
    for (id, follower) in followers {
      let serves = follower.status.serving == region.target && follower.status.servingDigest == digest
      guard !serves, follower.has(region.target), !isRefused(digest, by: follower),
        !follower.pending.values.contains(.announce(region.target))
      else { continue }
      // A step back needs the operator's signed order; without one the replica would refuse.
      guard follower.status.serving <= region.target || region.order != nil else { continue }
      steps.append(.announce(id, region.target))
    }
  }

  private func isRefused(_ digest: Digest, by follower: Follower) -> Bool {
    follower.name.map { state.refusal(of: digest, by: $0) != nil } ?? true
  }
}
