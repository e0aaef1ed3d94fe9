import Base
import Control
import Synchronization

/// A replica as the control node sees one: it takes directives when the test says so, and answers as the real one does.
final class TestReplica: FollowerLink {
  private struct State {
    var inbox: [Directive] = []
    /// Every directive ever sent, with the connection it came on.
    var received: [Directive] = []
    var status = ReplicaStatus()
    var digests: [UInt64: Digest] = [:]
    /// Rolled back from: not served again without an order.
    var withdrawn: Set<UInt64> = []
    var refusing: [Digest: Refusal] = [:]
    /// What was answered with a refusal.
    var refused: Set<Digest> = []
    var id: FollowerID?
    var wasEnded = false
  }

  let region: String
  let name: String
  private let state = Mutex(State())

  init(_ region: String, _ name: String) {
    self.region = region
    self.name = name
  }

  func send(_ directive: Directive) {
    state.withLock {
      $0.inbox.append(directive)
      $0.received.append(directive)
    }
  }

  /// Whether the control node has ended this replica's stream.
  var wasEnded: Bool { state.withLock { $0.wasEnded } }
  func finish() { state.withLock { $0.wasEnded = true } }

  var status: ReplicaStatus { state.withLock { $0.status } }
  var waiting: Int { state.withLock { $0.inbox.count } }
  var received: [Directive] { state.withLock { $0.received } }
  func hasRefused(_ digest: Digest) -> Bool { state.withLock { $0.refused.contains(digest) } }
  var isConnected: Bool { state.withLock { $0.id != nil } }

  var stagesReceived: [UInt64] {
    received.compactMap { directive in
      guard case .stage(let manifest, _) = directive.body else { return nil }
      return claimedSequence(manifest)
    }
  }

  var announcesReceived: [UInt64] {
    received.compactMap { directive in
      if case .announce(let sequence, _, _) = directive.body { sequence } else { nil }
    }
  }

  /// From now on this snapshot is refused, at whatever directive names it first.
  func refuse(_ snapshot: TestSnapshot, _ code: Refusal.Code = .goldenMismatch) {
    state.withLock { $0.refusing[snapshot.digest] = Refusal(code, at: "golden/all", "test") }
  }

  func connect(to node: ControlNode) async throws {
    let id = try await node.attach(self)
    state.withLock {
      $0.id = id
      $0.inbox = []
    }
    try await node.receive(
      .hello(.init(region: region, replica: name, address: "\(name):1", status: status)), from: id)
  }

  func disconnect(from node: ControlNode) async {
    let id = state.withLock { state in
      defer { state.id = nil }
      return state.id
    }
    if let id { await node.detach(id) }
  }

  /// The node is gone: nothing it sent before counts any more.
  func lose() {
    state.withLock {
      $0.id = nil
      $0.inbox = []
    }
  }

  /// Takes the oldest directive and answers it. False when none waits.
  @discardableResult
  func step(_ node: ControlNode) async throws -> Bool {
    let (id, report) = state.withLock { state -> (FollowerID?, FollowReport?) in
      guard state.id != nil, !state.inbox.isEmpty else { return (nil, nil) }
      return (state.id, Self.answer(state.inbox.removeFirst(), &state))
    }
    guard let id, let report else { return false }
    try await node.receive(report, from: id)
    return true
  }

  private static func answer(_ directive: Directive, _ state: inout State) -> FollowReport {
    switch directive.body {
    case .stage(let manifest, _):
      let digest = Digest(of: manifest.payload)
      if let refusal = state.refusing[digest] {
        state.refused.insert(digest)
        return .refused(nonce: directive.nonce, refusal: refusal, status: state.status)
      }
      let sequence = claimedSequence(manifest)
      state.digests[sequence] = digest
      if !state.status.staged.contains(sequence) { state.status.staged.append(sequence) }
      // As a real one it keeps a few, and what it serves.
      let serving = state.status.serving
      state.status.staged = Array(
        state.status.staged.sorted().suffix(6)
          + state.status.staged.filter {
            $0 == serving && !state.status.staged.sorted().suffix(6).contains($0)
          })
    case .announce(let sequence, let digest, let rollback):
      let refusal: Refusal? =
        if let refusing = state.refusing[digest] {
          refusing
        } else if state.digests[sequence] != digest {
          Refusal(.truncated, at: "sequence", "is not here")
        } else if sequence < state.status.serving && rollback == nil {
          Refusal(.olderSequence, at: "sequence", "takes an order")
        } else if state.withdrawn.contains(sequence), rollback == nil {
          Refusal(.refusedBefore, at: "sequence", "was rolled back from")
        } else {
          nil
        }
      if let refusal { return .refused(nonce: directive.nonce, refusal: refusal, status: state.status) }
      if let rollback, let order = try? RollbackOrder(bytes: rollback.payload) {
        state.withdrawn.remove(order.toSequence)
        if order.fromSequence > order.toSequence {
          state.withdrawn.formUnion(order.toSequence + 1...order.fromSequence)
        }
      }
      state.status.serving = sequence
      state.status.servingDigest = digest
      state.status.phase = .serving
    case .routing(let table):
      state.status.routingEpoch = table.epoch
    }
    return .acknowledged(nonce: directive.nonce, status: state.status)
  }
}

/// The first field of a manifest is its sequence, a varint behind the tag 0x08.
func claimedSequence(_ manifest: SignedBytes) -> UInt64 {
  var value: UInt64 = 0
  for (index, byte) in manifest.payload.dropFirst().prefix(9).enumerated() {
    value |= UInt64(byte & 0x7f) << (7 * UInt64(index))
    if byte & 0x80 == 0 { break }
  }
  return value
}

/// Lets all replicas take and answer until nothing waits.
func settle(_ replicas: [TestReplica], _ node: ControlNode) async throws {
  var isMoving = true
  while isMoving {
    isMoving = false
    for replica in replicas {
      while try await replica.step(node) { isMoving = true }
    }
  }
}
