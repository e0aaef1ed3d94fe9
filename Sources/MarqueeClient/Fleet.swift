internal import Base
internal import Synchronization
internal import Wire

/// The replicas that this client knows: who is well, who is next, and the budget that their failures use up.
///
/// What is decided here is decided under one lock and returned as a value; calls, probes and watches are made outside.
final class Fleet: Sendable {
  /// One replica that was chosen for a try.
  struct Choice: Sendable {
    let address: String
    let connection: ClientConnection
  }

  private struct Member {
    let connection: ClientConnection
    /// Failures that no success has followed.
    var failureCount = 0
    /// Left alone until a probe finds it well.
    var isResting = false
  }

  private struct Candidate {
    let address: String
    let hash: UInt64
  }

  private struct State {
    var view = RoutingView()
    /// The view's groups, made again when it changes.
    var groups: [[Candidate]] = []
    var members: [String: Member] = [:]
    var budget: RetryBudget
    var lastFault: Fault?
    var isClosed = false
  }

  let configuration: ClientConfiguration
  let time: any TimeSource
  private let loops: WireLoops
  private let tls: TLSConfiguration?
  private let state: Mutex<State>

  init(_ configuration: ClientConfiguration, time: any TimeSource, loops: WireLoops) throws(Fault) {
    self.configuration = configuration
    self.time = time
    self.loops = loops
    tls = configuration.tls.map {
      TLSConfiguration(
        certificateChainFile: $0.certificate, privateKeyFile: $0.key, authoritiesFile: $0.authorities,
        trustDomain: $0.trustDomain, revocationsFile: $0.revocations, serverName: $0.serverName,
        serverRoles: [.edge, .control])
    }
    state = Mutex(State(budget: RetryBudget(configuration.retries)))
    guard !configuration.seeds.isEmpty else {
      throw Fault(.invalidArgument, "no seeds: name at least one host:port")
    }
    for seed in configuration.seeds {
      guard Address(seed) != nil else { throw Fault(.invalidArgument, "\(seed) is not host:port") }
      // Made now, so that files that can't be used are said at once.
      try state.withLock { state throws(Fault) in _ = try member(seed, &state) }
    }
  }

  /// The member at an address, made when it isn't there. Throws when the address or the TLS files can't be used.
  private func member(_ address: String, _ state: inout State) throws(Fault) -> Member {
    if let member = state.members[address] { return member }
    guard let place = Address(address) else { throw Fault(.unavailable, "\(address) is not host:port") }
    guard !state.isClosed else { throw Fault(.cancelled, "this client is closed") }
    let connection = try ClientConnection(
      host: place.host, port: place.port, tls: tls, time: time, loops: loops)
    let member = Member(connection: connection)
    state.members[address] = member
    return member
  }

  // MARK: Choosing

  /// The next replica for a profile: of the best region that has one that is well and was not tried, that with the
  /// highest hash of replica and profile (rendezvous hashing; Thaler and Ravishankar 1998).
  ///
  /// So a profile stays with one replica while the fleet stays the same, which is where its events were recorded: its
  /// next rows have seen them. When all that are left are resting, one of them is better than none.
  func choose(profile: UInt64, tried: Set<String>) -> Choice? {
    state.withLock { state in
      for mustBeWell in [true, false] {
        for group in state.groups {
          var best: (address: String, hash: UInt64)?
          for candidate in group where !tried.contains(candidate.address) {
            if mustBeWell, state.members[candidate.address]?.isResting == true { continue }
            var mixer = SplitMix(seed: candidate.hash ^ profile)
            let hash = mixer.next()
            if best.map({ hash > $0.hash }) ?? true { best = (candidate.address, hash) }
          }
          guard let best else { continue }
          do throws(Fault) {
            return Choice(address: best.address, connection: try member(best.address, &state).connection)
          } catch {
            state.lastFault = error
          }
        }
      }
      return nil
    }
  }

  /// Whom to ask for the routing: the replicas in their order, then the seeds; those that rest at the end.
  func routingSources() -> [Choice] {
    state.withLock { state in
      var sources: [(choice: Choice, isResting: Bool)] = []
      var seen: Set<String> = []
      for address in state.groups.flatMap({ $0.map(\.address) }) + configuration.seeds
      where seen.insert(address).inserted {
        guard let member = try? member(address, &state) else { continue }
        sources.append((Choice(address: address, connection: member.connection), member.isResting))
      }
      return (sources.filter { !$0.isResting } + sources.filter(\.isResting)).map(\.choice)
    }
  }

  // MARK: Learning

  var epoch: UInt64 { state.withLock { $0.view.epoch } }
  var hasRouting: Bool { state.withLock { !$0.groups.isEmpty } }
  var lastFault: Fault? { state.withLock { $0.lastFault } }
  func note(_ fault: Fault) { state.withLock { $0.lastFault = fault } }

  /// Only before the first table is here: after that there is always one. What kept it from coming by `deadline`.
  func waitForRouting(until deadline: Instant) async -> MarqueeError? {
    while !hasRouting {
      guard !Task.isCancelled else { return MarqueeError(.cancelled, "the call was cancelled") }
      guard time.instant < deadline else {
        let cause = lastFault.map { ": \($0)" } ?? ""
        return MarqueeError(.unavailable, "no seed has told the routing yet\(cause)")
      }
      try? await Task.sleep(for: .milliseconds(2))
    }
    return nil
  }

  func learn(_ table: RoutingTable) {
    state.withLock { state in
      if state.view.learn(table, now: time.instant) { regroup(&state) }
    }
  }

  /// Whether it was news.
  func learn(_ redirect: RoutingView.Redirect) -> Bool {
    state.withLock { state in
      guard state.view.learn(redirect, now: time.instant) else { return false }
      regroup(&state)
      return true
    }
  }

  private func regroup(_ state: inout State) {
    state.groups = state.view.groups(home: configuration.homeRegion).map { group in
      group.map { Candidate(address: $0, hash: stableHash($0.utf8)) }
    }
    // Replicas that are gone. Calls that are under way hold their connection themselves.
    var known = Set(configuration.seeds)
    for region in state.view.table?.regions ?? [] { known.formUnion(region.replicas) }
    for group in state.groups { known.formUnion(group.map(\.address)) }
    state.members = state.members.filter { known.contains($0.key) }
  }

  // MARK: How tries went

  var allowsRetry: Bool { state.withLock { $0.budget.allowsRetry } }

  func succeeded(_ address: String) {
    state.withLock { state in
      state.budget.succeeded()
      state.members[address]?.failureCount = 0
      state.members[address]?.isResting = false
    }
  }

  /// A try failed for a reason that says nothing against its replica.
  func spent() { state.withLock { $0.budget.failed() } }

  /// The replica did not answer, or not in time. Returns how long to leave it alone before a probe; `nil` when it was
  /// resting before, so that somebody probes it already.
  func failed(_ address: String, costs: Bool) -> Duration? {
    state.withLock { state in
      if costs { state.budget.failed() }
      guard var member = state.members[address] else { return nil }
      defer { state.members[address] = member }
      guard !member.isResting else { return nil }
      member.isResting = true
      member.failureCount += 1
      // The first is often an accident: a probe at once tells.
      return member.failureCount == 1 ? .zero : rest(after: member.failureCount - 1)
    }
  }

  /// What a probe found. Returns how long to wait before the next; `nil` when there is nothing to probe any more.
  func probed(_ address: String, isWell: Bool) -> Duration? {
    state.withLock { state in
      guard var member = state.members[address], member.isResting, !state.isClosed else { return nil }
      defer { state.members[address] = member }
      guard !isWell else {
        member.isResting = false
        return nil
      }
      member.failureCount += 1
      return rest(after: member.failureCount - 1)
    }
  }

  func connection(_ address: String) -> ClientConnection? {
    state.withLock { $0.members[address]?.connection }
  }

  private func rest(after failureCount: Int) -> Duration {
    let doubled = configuration.restMinimum * (1 << min(failureCount, 16))
    // Jitter, so that clients which lost a replica together don't come back together.
    return min(doubled, configuration.restMaximum) * Double.random(in: 0.8...1.2)
  }

  func close() async {
    let members = state.withLock { state in
      state.isClosed = true
      defer { state.members = [:] }
      return Array(state.members.values)
    }
    for member in members { await member.connection.close() }
  }
}
