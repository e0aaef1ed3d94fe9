package import Base
internal import Synchronization

/// What this replica knows of the fleet's routing, for the threads that answer: whether it serves, and if not, who does.
package final class Routing: Sendable {
  private struct State {
    var table = RoutingTable(epoch: 0, regions: [])
    /// What a call gets while the region is failed over.
    var drained: Fault?
  }

  private let region: String
  private let file: RoutingFile
  private let state = Mutex(State())
  /// Held while a table is written, so that the newest is the last; readers never wait for it.
  private let writing = Mutex(())

  /// What was wrong with the table on the disk, which was then set aside.
  package let damage: Refusal?

  /// Reads what is on the disk. A damaged table is set aside as `routing.damaged` and the replica serves as if there were
  /// none: the control node sends the newest to every follower. Throws `diskError`.
  init(region: String, file: RoutingFile) throws(Refusal) {
    self.region = region
    self.file = file
    do throws(Refusal) {
      let table = try file.read()
      damage = nil
      if let table { replace(table) }
    } catch {
      guard error.code != .diskError else { throw error }
      try file.setAside()
      damage = error
    }
  }

  package var table: RoutingTable { state.withLock { $0.table } }
  package var epoch: UInt64 { state.withLock { $0.table.epoch } }
  /// `unavailable`, with the epoch and where to go as metadata, while the region is failed over.
  package var drained: Fault? { state.withLock { $0.drained } }

  /// Takes a newer table: on the disk first, since a drained replica that restarts is still drained. The same table again
  /// changes nothing. Blocks for the disk.
  ///
  /// Throws `olderSequence` for a lower epoch, `sequenceConflict` for another table of the same one, `malformed`,
  /// `limitExceeded`, `diskFull`, `diskError`.
  func take(_ table: RoutingTable) throws(Refusal) {
    try RoutingFile.check(table)
    try writing.withLock { (_) throws(Refusal) in
      let known = self.table
      guard table != known else { return }
      guard table.epoch >= known.epoch else {
        throw Refusal(
          .olderSequence, at: "routing epoch", "\(table.epoch) is older than \(known.epoch), which is known")
      }
      guard table.epoch > known.epoch else {
        throw Refusal(.sequenceConflict, at: "routing epoch", "\(table.epoch) is known with another table")
      }
      try file.write(table)
      replace(table)
    }
  }

  private func replace(_ table: RoutingTable) {
    let drained = Self.fault(region: region, table)
    state.withLock { $0 = State(table: table, drained: drained) }
  }

  private static func fault(region: String, _ table: RoutingTable) -> Fault? {
    guard let own = table.region(named: region), !own.failedOverTo.isEmpty else { return nil }
    var fault = Fault(
      .unavailable, "region \(region) is failed over: ask the region that the trailers name",
      metadata: [RoutingMetadata.epoch: String(table.epoch)])
    if let serving = table.serving(region) {
      fault.metadata[RoutingMetadata.region] = serving.name
      fault.metadata[RoutingMetadata.replicas] = serving.replicas.joined(separator: ",")
    }
    return fault
  }
}
