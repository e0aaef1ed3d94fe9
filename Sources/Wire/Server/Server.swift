package import Base
internal import NIOCore
internal import NIOPosix
internal import Synchronization

/// A gRPC server: owns its listening socket, its threads and its connections.
package final class Server: Sendable {
  private enum Phase {
    case idle
    case listening(any Channel)
    case draining
    case stopped
  }

  private struct State {
    var phase = Phase.idle
    var links: [Int: ServerLink] = [:]
    var nextLink = 0
    var waiters: [CheckedContinuation<Void, Never>] = []
    var certificates: TLSSource?
  }

  package let counters = ServerCounters()
  private let configuration: ServerConfiguration
  private let shared: ServerShared
  private let group: MultiThreadedEventLoopGroup
  private let state = Locked(State())

  /// `observer` hears of each call that ends, on an event loop: it must not block. `audit` hears of what was refused.
  /// `jitter` gives a factor about 1 for each connection's age.
  package init(
    configuration: ServerConfiguration, methods: [RPCMethod], time: any TimeSource,
    audit: AuditLog? = nil,
    jitter: @escaping @Sendable () -> Double = { Double.random(in: 0.9...1.1) },
    observer: (@Sendable (CallRecord) -> Void)? = nil
  ) {
    self.configuration = configuration
    shared = ServerShared(
      methods: MethodTable(methods), limits: configuration.limits,
      anonymousRoles: configuration.tls?.requireClientCertificate == true ? [] : configuration.anonymousRoles,
      trustDomain: configuration.tls?.trustDomain, time: time, counters: counters, jitter: jitter,
      audit: audit,
      observer: observer)
    group = MultiThreadedEventLoopGroup(numberOfThreads: max(1, configuration.loopCount))
  }

  /// Listens; returns where. Throws a `Fault` that says what to do when it can't.
  package func start() async throws -> (host: String, port: Int) {
    let address: SocketAddress
    do {
      address = try SocketAddress.makeAddressResolvingHost(configuration.host, port: configuration.port)
    } catch {
      throw Fault(.failedPrecondition, "\(configuration.host) is no host that can be listened at: \(error)")
    }
    if configuration.tls == nil, !configuration.allowPlaintextBeyondLoopback, !address.isLoopback {
      throw Fault(
        .failedPrecondition,
        "plain text is for loopback only, and \(configuration.host) is not: configure TLS, or allow plain text "
          + "beyond loopback in so many words")
    }
    var source: TLSSource?
    if let tls = configuration.tls {
      source = try TLSSource(
        tls, side: .server, time: shared.time, limits: configuration.limits, audit: shared.audit)
    }
    let tls = source
    let channel: any Channel
    do {
      channel = try await ServerBootstrap(group: group)
        .serverChannelOption(.backlog, value: 1024)
        .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
        .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
        // One read a turn: a second one mostly finds nothing, and the connection is asked again in the next turn.
        .childChannelOption(.maxMessagesPerRead, value: 1)
        .childChannelInitializer { [self] channel in accept(channel, tls) }
        .bind(to: address).get()
    } catch {
      throw Fault(
        .failedPrecondition, "can't listen at \(configuration.host):\(configuration.port): \(error)")
    }
    state.withLock { state in
      state.phase = .listening(channel)
      state.certificates = tls
    }
    keepHouse()
    let bound = channel.localAddress
    return (bound?.ipAddress ?? configuration.host, bound?.port ?? configuration.port)
  }

  /// What nobody's call brings about: now and then, on one loop.
  private func keepHouse() {
    let pause = TimeAmount.milliseconds(Int64(configuration.limits.housekeepingMilliseconds))
    group.next().scheduleRepeatedTask(initialDelay: pause, delay: pause) { [weak self] task in
      guard let self else { return task.cancel() }
      shared.audit?.tick()
      if case .tookUp(trust: true) = state.withLock({ $0.certificates })?.lookIfDue() { recheck() }
    }
  }

  /// Looks at the certificates' files now, and not when it is time to. They are looked at every few seconds anyway.
  package func reloadCertificates() {
    if case .tookUp(trust: true) = state.withLock({ $0.certificates })?.look() { recheck() }
  }

  /// Connections of revoked certificates are cut, at once; those of authorities that aren't trusted any more are drained.
  /// One a millisecond: to verify a certificate costs a tenth of that, and calls come first.
  private func recheck() {
    let (source, links) = state.withLock { ($0.certificates, Array($0.links.values)) }
    guard let context = source?.context else { return }
    for link in links { link.cutIfRevoked(context) }
    for (index, link) in links.enumerated() { link.recheck(context, after: index) }
  }

  private func accept(_ channel: any Channel, _ tls: TLSSource?) -> EventLoopFuture<Void> {
    channel.eventLoop.makeCompletedFuture {
      let certificates = tls?.context
      let engine = try certificates?.makeEngine(host: nil)
      let session = Session(side: .server, limits: configuration.limits, time: shared.time)
      guard let number = reserve() else {
        counters.refusedConnections.add(1, ordering: .relaxed)
        throw Fault(.resourceExhausted, "this server has all the connections that it may have")
      }
      let connection = ServerConnection(
        shared: shared, session: session, eventLoop: channel.eventLoop,
        address: channel.remoteAddress?.text ?? "unknown"
      ) { [self] in remove(number) }
      add(number, connection.link)
      // Whoever rechecked the list of connections meanwhile has missed this one.
      if let current = tls?.context, current !== certificates { connection.link.recheck(current, after: 0) }
      let transport = Transport(
        session: session, tls: engine, owner: connection, limits: configuration.limits)
      connection.attach(transport)
      do { try channel.pipeline.syncOperations.addHandler(transport) } catch {
        // The peer has gone already: nobody else will say so.
        connection.transportDidClose(Fault(.unavailable, "the connection was closed"))
        connection.transportIsGone()
        throw error
      }
    }
  }

  // MARK: The list of connections

  private func reserve() -> Int? {
    state.withLock { state in
      guard state.links.count < configuration.limits.connectionsMax, case .listening = state.phase else {
        return nil
      }
      state.nextLink += 1
      return state.nextLink
    }
  }

  private func add(_ number: Int, _ link: ServerLink) {
    counters.connections.add(1, ordering: .relaxed)
    let isDraining = state.withLock { state in
      state.links[number] = link
      if case .draining = state.phase { return true } else { return false }
    }
    if isDraining { link.beginDrain() }
  }

  private func remove(_ number: Int) {
    counters.connections.subtract(1, ordering: .relaxed)
    let waiters = state.withLock { state -> [CheckedContinuation<Void, Never>] in
      state.links.removeValue(forKey: number)
      guard state.links.isEmpty else { return [] }
      defer { state.waiters = [] }
      return state.waiters
    }
    for waiter in waiters { waiter.resume() }
  }

  /// Stops: no new connection, no new call, open calls end within the grace. Returns when all is closed.
  package func drain() async {
    let (isOurs, channel, links) = state.withLock { state -> (Bool, (any Channel)?, [ServerLink]) in
      switch state.phase {
      case .listening(let channel):
        state.phase = .draining
        return (true, channel, Array(state.links.values))
      case .idle:
        state.phase = .draining
        return (true, nil, [])
      case .draining, .stopped: return (false, nil, [])
      }
    }
    guard isOurs else { return }
    try? await channel?.close()
    for link in links { link.beginDrain() }
    await withCheckedContinuation { continuation in
      let isEmpty = state.withLock { state in
        if !state.links.isEmpty { state.waiters.append(continuation) }
        return state.links.isEmpty
      }
      if isEmpty { continuation.resume() }
    }
    state.withLock { $0.phase = .stopped }
    try? await group.shutdownGracefully()
    shared.audit?.finish()
  }
}

extension SocketAddress {
  /// `address:port`, as people write it.
  var text: String {
    guard let ipAddress, let port else { return description }
    return ipAddress.contains(":") ? "[\(ipAddress)]:\(port)" : "\(ipAddress):\(port)"
  }

  var isLoopback: Bool {
    switch self {
    case .v4: ipAddress?.hasPrefix("127.") == true
    case .v6: ipAddress == "::1"
    case .unixDomainSocket: true
    }
  }
}
