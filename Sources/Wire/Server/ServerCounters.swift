internal import Synchronization

/// What a server has done since it started; from any thread.
package final class ServerCounters: Sendable {
  let started = Atomic<Int>(0)
  let failed = Atomic<Int>(0)
  let open = Atomic<Int>(0)
  let connections = Atomic<Int>(0)
  let refusedConnections = Atomic<Int>(0)
  let buffered = Atomic<Int>(0)

  init() {}

  /// Calls that arrived, those refused included.
  package var callsStarted: Int { started.load(ordering: .relaxed) }
  /// Calls that ended with another status than OK.
  package var callsFailed: Int { failed.load(ordering: .relaxed) }
  package var callsOpen: Int { open.load(ordering: .relaxed) }
  package var connectionsOpen: Int { connections.load(ordering: .relaxed) }
  /// Connections that were closed at once, or whose handshake failed.
  package var connectionsRefused: Int { refusedConnections.load(ordering: .relaxed) }
  /// Bytes of messages held for peers: received and not taken, or queued and not sent.
  package var bytesBuffered: Int { buffered.load(ordering: .relaxed) }
}

/// What one connection adds to the counters of all, while it hears what one read brought: counted here first, since a
/// call changes them seven times, and each change would have to be agreed upon between the processors.
struct CounterChanges {
  private var started = 0
  private var failed = 0
  private var open = 0
  private var buffered = 0
  /// Whether changes are kept back until ``settle(_:)``.
  private(set) var isHearing = false

  mutating func begin() { isHearing = true }

  mutating func settle(_ counters: ServerCounters) {
    isHearing = false
    Self.move(&started, counters.started)
    Self.move(&failed, counters.failed)
    Self.move(&open, counters.open)
    Self.move(&buffered, counters.buffered)
  }

  private static func move(_ change: inout Int, _ counter: borrowing Atomic<Int>) {
    guard change != 0 else { return }
    counter.add(change, ordering: .relaxed)
    change = 0
  }

  mutating func start(_ counters: ServerCounters) {
    if isHearing { started += 1 } else { counters.started.add(1, ordering: .relaxed) }
  }
  mutating func fail(_ counters: ServerCounters) {
    if isHearing { failed += 1 } else { counters.failed.add(1, ordering: .relaxed) }
  }
  mutating func open(_ change: Int, _ counters: ServerCounters) {
    if isHearing { open += change } else { counters.open.add(change, ordering: .relaxed) }
  }
  mutating func buffer(_ change: Int, _ counters: ServerCounters) {
    if isHearing { buffered += change } else { counters.buffered.add(change, ordering: .relaxed) }
  }
}

/// How one call ended, for metrics and logs.
package struct CallRecord: Sendable {
  package var path: String
  /// 0 is OK; else the raw value of a `Fault.Code`.
  package var status: Int
  package var nanoseconds: UInt64
}
