internal import Base

extension ServerConnection {
  enum Drain {
    case no
    /// The first GOAWAY is out; the second follows a PING's answer, or this moment.
    case noticed(until: Instant, grace: Instant)
    case refusing(grace: Instant)
    case over
  }

  var isDraining: Bool { if case .no = drain { false } else { true } }

  /// Open calls go on until `grace`; new ones are taken until the peer knows.
  func beginDrain() {
    guard case .no = drain, !isClosed else { return }
    let now = shared.time.instant
    drain = .noticed(
      until: now.advanced(byMilliseconds: shared.limits.drainNoticeMilliseconds),
      grace: now.advanced(byMilliseconds: shared.limits.drainGraceMilliseconds))
    session.announceShutdown()
    session.ping(0)
    for stream in streams.values where !stream.isEnded && !stream.method.holdsDrain {
      fail(stream, Fault(.unavailable, "the server is shutting down"))
    }
    alarm.set(now.advanced(byMilliseconds: shared.limits.drainNoticeMilliseconds))
    if handshakeDeadline != .distantFuture {
      transport?.close(Fault(.unavailable, "the server is shutting down"))
    }
    transport?.flushSoon()
  }

  func refuseNewStreams() {
    guard case .noticed(_, let grace) = drain else { return }
    drain = .refusing(grace: grace)
    session.shutDown()
    alarm.set(grace)
  }

  func endDrain() {
    drain = .over
    for stream in streams.values where !stream.isEnded {
      fail(stream, Fault(.unavailable, "the server shut down before the call had ended"))
    }
    session.terminate(code: HTTP2Code.noError)
  }
}
