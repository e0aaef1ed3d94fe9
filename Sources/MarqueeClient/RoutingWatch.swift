internal import Base
internal import Synchronization
internal import Wire

/// Keeps the routing fresh and finds out who is well again: owns this client's background tasks.
final class RoutingWatch: Sendable {
  private struct State {
    var tasks: [Int: Task<Void, Never>] = [:]
    var nextTask = 0
    var isRefreshing = false
    var isClosed = false
  }

  private let fleet: Fleet
  private let state = Mutex(State())
  /// How long a question about the routing, which costs a replica next to nothing, may take.
  private static let questionMilliseconds: UInt64 = 1000
  /// Seeds are asked one after another, this far apart, without waiting for those before.
  private static let staggerMilliseconds: Int64 = 100

  init(_ fleet: Fleet) { self.fleet = fleet }

  func start() {
    run { watch in await watch.follow() }
  }

  /// A task that is cancelled when the client closes, and forgotten when it ends.
  private func run(_ body: @escaping @Sendable (RoutingWatch) async -> Void) {
    state.withLock { state in
      guard !state.isClosed else { return }
      let number = state.nextTask
      state.nextTask += 1
      state.tasks[number] = Task {
        await body(self)
        _ = self.state.withLock { $0.tasks.removeValue(forKey: number) }
      }
    }
  }

  /// Ends the tasks without waiting for them.
  func cancel() {
    let tasks = state.withLock { state in
      state.isClosed = true
      return Array(state.tasks.values)
    }
    for task in tasks { task.cancel() }
  }

  func close() async {
    let tasks = state.withLock { state in
      state.isClosed = true
      return Array(state.tasks.values)
    }
    for task in tasks { task.cancel() }
    for task in tasks { await task.value }
  }

  // MARK: The routing

  private func follow() async {
    var failureCount = 0
    var last: String?
    while !Task.isCancelled {
      if !fleet.hasRouting { await bootstrap() }
      let sources = fleet.routingSources()
      if let source = sources.first(where: { $0.address != last }) ?? sources.first {
        last = source.address
        let epoch = fleet.epoch
        await follow(source)
        failureCount = fleet.epoch > epoch ? 0 : failureCount + 1
      }
      let pause = Duration.milliseconds(20) * (1 << min(failureCount, 6))
      try? await Task.sleep(for: pause)
    }
  }

  /// Asks all seeds until one knows.
  private func bootstrap() async {
    await withTaskGroup(of: Bool.self) { group in
      for (index, source) in fleet.routingSources().enumerated() {
        group.addTask {
          try? await Task.sleep(for: .milliseconds(Self.staggerMilliseconds * Int64(index)))
          return Task.isCancelled ? false : await self.ask(source)
        }
      }
      while let knows = await group.next(), !knows {}
      group.cancelAll()
    }
  }

  /// Watches at one replica until the stream ends or the replica no longer answers: a process that is stopped keeps
  /// its connections, and says nothing.
  private func follow(_ source: Fleet.Choice) async {
    await withTaskGroup(of: Void.self) { group in
      group.addTask {
        do {
          for try await table in try await RoutingStub(source.connection).watch() { self.fleet.learn(table) }
        } catch {
          if let fault = (error as? CallFailure)?.fault ?? (error as? Fault) { self.note(fault) }
        }
      }
      group.addTask {
        repeat {
          do { try await Task.sleep(for: self.fleet.configuration.routingInterval) } catch { return }
        } while await self.ask(source)
      }
      await group.next()
      group.cancelAll()
    }
  }

  private func ask(_ source: Fleet.Choice) async -> Bool {
    let deadline = fleet.time.instant.advanced(byMilliseconds: Self.questionMilliseconds)
    do throws(CallFailure) {
      fleet.learn(try await RoutingStub(source.connection).get(deadline: deadline))
      return true
    } catch {
      note(error.fault)
      return false
    }
  }

  /// For the error of a call that finds no routing; that we hung up ourselves explains nothing.
  private func note(_ fault: Fault) {
    if !Task.isCancelled { fleet.note(fault) }
  }

  /// A reply or a redirect named a newer epoch: whoever said so has the table.
  func refresh(from source: Fleet.Choice) {
    let isFirst = state.withLock { state in
      defer { state.isRefreshing = true }
      return !state.isRefreshing
    }
    guard isFirst else { return }
    run { watch in
      _ = await watch.ask(source)
      watch.state.withLock { $0.isRefreshing = false }
    }
  }

  // MARK: Probes

  /// Asks a resting replica, after `pause` and then less and less often, until it answers.
  func probe(_ source: Fleet.Choice, after pause: Duration) {
    run { watch in
      var next: Duration? = pause
      while let pause = next {
        if pause > .zero { try? await Task.sleep(for: pause) }
        guard !Task.isCancelled else { return }
        next = watch.fleet.probed(source.address, isWell: await watch.ask(source))
      }
    }
  }
}
