internal import Base

extension ServerConnection {
  enum Drain {
    case no
    /// The first GOAWAY is out; the second follows a PING's answer, or this moment.
    case noticed(until: Instant, grace: Instant)
    case refusing(grace: Instant)
    /// Every call has its status; the last bytes are on their way.
    case leaving(until: Instant)
    case over
  }

  /// Why a connection ends.
  enum DrainCause {
    case shutdown, age, idle, trust

    /// What the last GOAWAY says, in gRPC's words where it has some.
    var debugText: StaticString {
      switch self {
      case .shutdown: "shutdown"
      case .age: "max_age"
      case .idle: "max_idle"
      case .trust: "certificate_authority_withdrawn"
      }
    }

    var fault: Fault {
      switch self {
      case .shutdown: Fault(.unavailable, "the server is shutting down")
      case .age, .idle: Fault(.unavailable, "this connection has lasted long enough: call again on another")
      case .trust:
        Fault(.unavailable, "the authority of this connection's certificate isn't trusted any more")
      }
    }

    /// Whether calls that never end by themselves are ended at once, so that their callers can go on elsewhere.
    var endsWatchers: Bool { self == .shutdown || self == .trust }

    func graceMilliseconds(_ limits: WireLimits) -> UInt64 {
      switch self {
      case .shutdown, .trust: limits.drainGraceMilliseconds
      case .age, .idle: limits.connectionAgeGraceMilliseconds
      }
    }
  }

  var isDraining: Bool { if case .no = drain { false } else { true } }

  /// Open calls go on until the grace of `cause` is over; new ones are taken until the peer knows.
  func beginDrain(_ cause: DrainCause) {
    guard !isClosed else { return }
    let now = shared.time.instant
    let grace = now.advanced(byMilliseconds: cause.graceMilliseconds(shared.limits))
    switch drain {
    case .no:
      let until = now.advanced(byMilliseconds: shared.limits.drainNoticeMilliseconds)
      drain = .noticed(until: until, grace: grace)
      session.announceShutdown()
      session.ping(Self.drainPing)
      alarm.set(until)
    case .noticed(let until, let current): drain = .noticed(until: until, grace: min(current, grace))
    case .refusing(let current):
      drain = .refusing(grace: min(current, grace))
      alarm.set(min(current, grace))
    case .leaving, .over: return
    }
    drainCause = cause
    if cause.endsWatchers {
      for stream in streams.values where !stream.isEnded && !stream.method.holdsDrain {
        fail(stream, cause.fault)
      }
    }
    transport?.flushSoon()
  }

  func refuseNewStreams() {
    guard case .noticed(_, let grace) = drain else { return }
    drain = .refusing(grace: grace)
    session.shutDown(debug: drainCause.debugText)
    alarm.set(grace)
    // A peer that hasn't said anything in HTTP/2 by now has no call to lose.
    if handshakeDeadline != .distantFuture { transport?.close(drainCause.fault) }
  }

  /// Does what of a drain is due; answers when to look again.
  func proceedDrain(_ now: Instant) -> Instant {
    if case .noticed(let until, _) = drain, until <= now { refuseNewStreams() }
    if case .refusing(let grace) = drain, grace <= now { endDrain(now) }
    if case .leaving(let until) = drain, until <= now {
      drain = .over
      session.terminate(code: HTTP2Code.noError)
    }
    switch drain {
    case .noticed(let until, _): return until
    case .refusing(let grace): return grace
    case .leaving(let until): return until
    case .no, .over: return .distantFuture
    }
  }

  /// Calls that are still open get their status. The session is over by itself once that has left; it is not ended
  /// here, because that would drop what is queued.
  private func endDrain(_ now: Instant) {
    drain = .leaving(until: now.advanced(byMilliseconds: shared.limits.drainLeaveMilliseconds))
    let fault = Fault(.unavailable, drainCause.fault.message + ", and the call had not ended in time")
    for stream in streams.values where !stream.isEnded { fail(stream, fault) }
  }

  // MARK: Why

  /// A connection is as old as its use: a slow handshake doesn't make it old.
  func beginAge() {
    age = ConnectionAge(shared.limits, now: shared.time.instant, jitter: shared.jitter())
    alarm.set(age.nextLook)
  }

  /// Ends what has lasted long enough; answers when to look again.
  func lookAtAge(_ now: Instant) -> Instant {
    guard !isDraining, !isClosed else { return .distantFuture }
    let (due, next) = age.look(now, hasCalls: !streams.isEmpty, lastStream: session.lastTakenStream)
    guard let due else { return next }
    beginDrain(due)
    return proceedDrain(now)
  }

  /// Whom we trust has changed. A peer that is still shaking hands is looked at once it has.
  func recheck(_ context: TLSContext) {
    guard !isClosed, let transport else { return }
    guard !transport.isShakingHands else {
      recheckAtOpening = context
      return
    }
    switch transport.standing(by: context) {
    case .trusted: return
    case .withdrawn:
      shared.audit?.record(
        AuditEvent(
          .trustWithdrawn, peer: peer.address, role: peer.role, uri: peer.uri, subject: peer.subject,
          reason: "the connection is drained: " + DrainCause.trust.fault.message))
      beginDrain(.trust)
    case .revoked: cut(transport)
    }
  }

  /// A look that costs next to nothing, before ``recheck(_:)`` has its turn.
  func cutIfRevoked(_ context: TLSContext) {
    guard !isClosed, let transport, !transport.isShakingHands, transport.isRevoked(by: context) else {
      return
    }
    cut(transport)
  }

  /// Not drained: somebody else may have the key, and would get calls through until the end of the grace.
  private func cut(_ transport: Transport<ServerConnection>) {
    let fault = Fault(.unavailable, "this connection's certificate was revoked")
    shared.audit?.record(
      AuditEvent(
        .certificateRevoked, peer: peer.address, role: peer.role, uri: peer.uri, subject: peer.subject,
        reason: "the connection is cut: " + fault.message))
    transport.close(fault)
  }
}
