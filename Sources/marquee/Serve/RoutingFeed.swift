import Base
import Synchronization

/// Gives each new routing table to everybody who watches; the mutex guards the watchers.
final class RoutingFeed: Sendable {
  private struct State {
    var table: RoutingTable
    var watchers: [UInt64: AsyncStream<RoutingTable>.Continuation] = [:]
    var next: UInt64 = 0
  }

  private let state: Mutex<State>

  init(_ table: RoutingTable) { state = Mutex(State(table: table)) }

  var table: RoutingTable { state.withLock { $0.table } }

  /// A table that is no newer changes nothing.
  func take(_ table: RoutingTable) {
    state.withLock { state in
      guard table.epoch > state.table.epoch else { return }
      state.table = table
      for watcher in state.watchers.values { watcher.yield(table) }
    }
  }

  /// The table now, and the newest one after it each time it changes.
  func watch() -> AsyncStream<RoutingTable> {
    let (stream, continuation) = AsyncStream.makeStream(
      of: RoutingTable.self, bufferingPolicy: .bufferingNewest(1))
    let number = state.withLock { state in
      state.next += 1
      state.watchers[state.next] = continuation
      continuation.yield(state.table)
      return state.next
    }
    continuation.onTermination = { [weak self] _ in
      _ = self?.state.withLock { $0.watchers.removeValue(forKey: number) }
    }
    return stream
  }
}
