import Base
import Serving
import Synchronization
import Wire

/// Follows the control node for as long as the process runs: says hello, does what it is told, reports.
///
/// A stream that breaks is opened again, later each time up to five seconds. The mutex guards the open call, which the
/// reader of the replica's own changes needs.
final class Follower: Sendable {
  private let replica: Replica
  private let address: String
  private let control: Address
  private let tls: TLSConfiguration?
  private let loops: WireLoops
  private let feed: RoutingFeed
  private let open = Mutex<FollowCall?>(nil)

  init(
    replica: Replica, address: String, control: Address, tls: TLSConfiguration?, loops: WireLoops,
    feed: RoutingFeed
  ) {
    self.replica = replica
    self.address = address
    self.control = control
    self.tls = tls
    self.loops = loops
    self.feed = feed
  }

  func run() async {
    await withTaskGroup(of: Void.self) { group in
      group.addTask { await self.reportChanges() }
      group.addTask { await self.followAgainAndAgain() }
    }
  }

  private func reportChanges() async {
    for await status in replica.changes {
      guard let call = open.withLock({ $0 }) else { continue }
      // A call that has just ended is reported by its reader.
      try? await call.send(.changed(status))
    }
  }

  private func followAgainAndAgain() async {
    var pause = 100
    while !Task.isCancelled {
      let began = SystemTime().instant
      do {
        try await follow()
        log("the control node ended the stream")
      } catch is CancellationError {
        return
      } catch {
        log("following \(control): \((error as? CallFailure)?.fault ?? error)")
      }
      open.withLock { $0 = nil }
      if SystemTime().instant.nanoseconds(since: began) > 10_000_000_000 { pause = 100 }
      try? await Task.sleep(for: .milliseconds(pause / 2 + Int.random(in: 0...pause / 2)))
      pause = min(pause * 2, 5000)
    }
  }

  private func follow() async throws {
    let connection = try ClientConnection(
      host: control.host, port: control.port, tls: tls, time: SystemTime(), loops: loops,
      keepalive: Keepalive(intervalMilliseconds: 10_000, timeoutMilliseconds: 10_000))
    do {
      let call = try await FleetStub(connection).follow()
      try await call.send(.hello(await replica.hello(address: address)))
      open.withLock { $0 = call }
      try await obey(call)
      await connection.close()
    } catch {
      await connection.close()
      throw error
    }
  }

  /// Each directive in a task of its own: a staging takes its time, an announcement or a routing must not wait for it.
  private func obey(_ call: FollowCall) async throws {
    // Discarding: a stream may last for months, and a group that keeps results would keep a task for each directive.
    try await withThrowingDiscardingTaskGroup { group in
      defer { group.cancelAll() }
      for try await directive in call.directives {
        group.addTask {
          let report = await self.replica.handle(directive)
          self.feed.take(self.replica.routing.table)
          guard let report else { return }
          if case .refused(_, let refusal, _) = report { log("refused: \(refusal)") }
          try? await call.send(report)
        }
      }
    }
  }
}
