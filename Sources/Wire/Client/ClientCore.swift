internal import Base
internal import NIOCore
internal import NIOPosix

/// Where a client connects to and by which rules.
struct ClientTarget: Sendable {
  let host: String
  let port: Int
  let tls: TLSSource?
  let limits: WireLimits
  let keepalive: Keepalive?
  let time: any TimeSource

  var authority: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }
}

/// The state of a client connection: its calls that wait, and the session that carries the others; lives on its event
/// loop.
final class ClientCore {
  private enum Phase {
    case idle
    case connecting(ClientSession)
    case ready(ClientSession)
    /// The last attempt failed; the next call after this moment tries again.
    case resting(until: Instant, Fault)
    case closed
  }

  private let target: ClientTarget
  private let eventLoop: any EventLoop
  private let alarm: Alarm
  private var phase = Phase.idle
  private var queue: [ClientStream] = []
  private var queueHead = 0
  /// Sessions that take no more calls and still have some.
  private var leaving: [ClientSession] = []
  private var failureCount = 0
  private var connectDeadline = Instant.distantFuture
  /// When to look whether the servers that we are connected to have been revoked.
  private var trustLook = Instant.distantFuture

  init(target: ClientTarget, eventLoop: any EventLoop) {
    self.target = target
    self.eventLoop = eventLoop
    alarm = Alarm(eventLoop: eventLoop, time: target.time)
    alarm.ring = { [weak self] now in self?.ring(now) ?? .distantFuture }
  }

  func perform(_ command: ClientLink.Command) {
    switch command {
    case .start(let stream): start(stream)
    case .send(let stream, let message): stream.session?.send(stream, message)
    case .finish(let stream): stream.session?.finishSending(stream)
    case .cancel(let stream):
      guard !stream.isEnded else { return }
      stream.session?.cancel(stream)
      stream.fail(
        Fault(.cancelled, "the caller cancelled the call"), isSafeToRetry: stream.id == 0, drops: true)
    case .giveUp(let stream, let fault):
      if !stream.isEnded { stream.session?.giveUp(stream, fault) }
    case .took(let stream, let count): stream.session?.took(stream, count)
    case .close: close()
    }
  }

  func flushSoon() {
    session?.flushSoon()
    for session in leaving { session.flushSoon() }
  }

  private var session: ClientSession? {
    switch phase {
    case .ready(let session), .connecting(let session): session
    case .idle, .resting, .closed: nil
    }
  }

  // MARK: Calls

  /// Opens the call, or lets it wait; also one that a server refused unseen.
  func start(_ stream: ClientStream) {
    guard !stream.isEnded else { return }
    if let deadline = stream.deadline {
      guard deadline > target.time.instant else {
        return stream.fail(
          Fault(.deadlineExceeded, "the deadline had passed before the call"), isSafeToRetry: true)
      }
      alarm.set(deadline)
    }
    switch phase {
    case .closed:
      return stream.fail(Fault(.unavailable, "this client connection was closed"), isSafeToRetry: true)
    case .resting(let until, let fault) where target.time.instant < until:
      return stream.fail(fault, isSafeToRetry: true)
    case .ready(let session) where queueHead == queue.count && session.hasRoom:
      return session.open(stream)
    default: break
    }
    guard queue.count - queueHead < target.limits.queuedCallsMax else {
      return stream.fail(
        Fault(.resourceExhausted, "\(target.limits.queuedCallsMax) calls wait for this connection already"),
        isSafeToRetry: true)
    }
    queue.append(stream)
    switch phase {
    case .idle, .resting: connect()
    case .connecting, .ready, .closed: break
    }
  }

  /// Opens what waits, as far as the server allows.
  private func openQueued() {
    guard case .ready(let session) = phase else { return }
    while queueHead < queue.count, session.hasRoom {
      let stream = queue[queueHead]
      queueHead += 1
      if !stream.isEnded { session.open(stream) }
    }
    if queueHead == queue.count {
      queue.removeAll(keepingCapacity: true)
      queueHead = 0
    } else if queueHead >= 256 {
      queue.removeFirst(queueHead)
      queueHead = 0
    }
  }

  private func failQueued(_ fault: Fault) {
    let waiting = queue[queueHead...]
    queue = []
    queueHead = 0
    for stream in waiting { stream.fail(fault, isSafeToRetry: true) }
  }

  // MARK: The connection

  private func connect() {
    let session = ClientSession(target: target, core: self)
    phase = .connecting(session)
    let timeout = target.limits.connectMilliseconds
    connectDeadline = target.time.instant.advanced(byMilliseconds: timeout)
    alarm.set(connectDeadline)
    let (target, eventLoop) = (target, eventLoop)
    let bound = NIOLoopBound(session, eventLoop: eventLoop)
    let core = NIOLoopBound(self, eventLoop: eventLoop)
    ClientBootstrap(group: eventLoop)
      .connectTimeout(.milliseconds(Int64(clamping: timeout)))
      .channelOption(.tcpOption(.tcp_nodelay), value: 1)
      .channelInitializer { channel in
        channel.eventLoop.makeCompletedFuture {
          let certificates = target.tls?.freshContext()
          let engine = try certificates?.makeEngine(host: target.host)
          bound.value.certificates = certificates
          let transport = Transport(
            session: bound.value.session, tls: engine, owner: bound.value, limits: target.limits)
          bound.value.transport = transport
          try channel.pipeline.syncOperations.addHandler(transport)
        }
      }
      .connect(host: target.host, port: target.port)
      .whenFailure { error in
        let fault =
          error as? Fault
          ?? Fault(.unavailable, "can't connect to \(target.authority): \(Self.reason(of: error))")
        core.value.sessionFailed(bound.value, fault)
      }
  }

  /// The server's SETTINGS came: it speaks HTTP/2 and has said how many streams it takes.
  func sessionIsReady(_ session: ClientSession) {
    if case .connecting(let current) = phase, current === session {
      phase = .ready(session)
      failureCount = 0
      connectDeadline = .distantFuture
      if let look = target.tls?.nextTrustLook {
        trustLook = look
        alarm.set(look)
      }
    }
    openQueued()
  }

  func sessionHasRoom() { openQueued() }

  /// The server said GOAWAY: open calls go on there, new ones need another connection.
  func sessionIsLeaving(_ session: ClientSession) {
    guard case .ready(let current) = phase, current === session else { return }
    leaving.append(session)
    phase = .idle
    if queueHead < queue.count { connect() }
  }

  func sessionFailed(_ session: ClientSession, _ fault: Fault) {
    leaving.removeAll { $0 === session }
    switch phase {
    case .connecting(let current) where current === session:
      connectDeadline = .distantFuture
      failureCount += 1
      let milliseconds = min(5_000, 50 << UInt64(min(failureCount - 1, 7)))
      phase = .resting(until: target.time.instant.advanced(byMilliseconds: UInt64(milliseconds)), fault)
      failQueued(fault)
    case .ready(let current) where current === session:
      phase = .idle
      if queueHead < queue.count { connect() }
    default: break
    }
  }

  func close() {
    let open = leaving + (session.map { [$0] } ?? [])
    phase = .closed
    leaving = []
    failQueued(Fault(.unavailable, "this client connection was closed"))
    for session in open { session.close() }
    alarm.stop()
  }

  // MARK: Time

  func watch(_ instant: Instant) { alarm.set(instant) }

  private func ring(_ now: Instant) -> Instant {
    if case .connecting(let session) = phase, connectDeadline <= now {
      session.abort(Fault(.unavailable, "\(target.authority) took too long to connect"))
    }
    var next = connectDeadline <= now ? .distantFuture : connectDeadline
    for stream in queue[queueHead...] where !stream.isEnded {
      guard let deadline = stream.deadline else { continue }
      if deadline <= now {
        stream.fail(
          Fault(.deadlineExceeded, "the deadline passed before the call was sent"), isSafeToRetry: true)
      } else {
        next = min(next, deadline)
      }
    }
    lookAtTrust(now)
    for session in leaving + (session.map { [$0] } ?? []) { next = min(next, session.ring(now)) }
    return min(next, trustLook)
  }

  /// A connection may last for ever, and its server's certificate may be revoked meanwhile.
  private func lookAtTrust(_ now: Instant) {
    guard trustLook <= now else { return }
    let sessions = leaving + (session.map { [$0] } ?? [])
    trustLook = .distantFuture
    guard !sessions.isEmpty, let tls = target.tls else { return }
    let certificates = tls.freshContext()
    trustLook = tls.nextTrustLook ?? .distantFuture
    for session in sessions { session.recheck(certificates) }
  }
}

extension ClientCore {
  /// What the system said, without the wrapping: "Connection refused".
  private static func reason(of error: any Error) -> String {
    let innermost = (error as? NIOConnectionError)?.connectionErrors.first?.error ?? error
    guard let failure = innermost as? IOError else { return "\(innermost)" }
    return String(cString: strerror(failure.errnoCode))
  }
}
