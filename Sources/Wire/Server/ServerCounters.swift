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

/// How one call ended, for metrics and logs.
package struct CallRecord: Sendable {
  package var path: String
  /// 0 is OK; else the raw value of a `Fault.Code`.
  package var status: Int
  package var nanoseconds: UInt64
}
