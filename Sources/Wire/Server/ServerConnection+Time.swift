internal import Base

extension ServerConnection {
  func watch(deadline: Instant) { alarm.set(deadline) }

  /// Ends what has run out of time; answers when to look again.
  func ring(_ now: Instant) -> Instant {
    if handshakeDeadline <= now || partDeadline <= now {
      transport?.close(Fault(.unavailable, "the peer took too long"))
      return .distantFuture
    }
    switch drain {
    case .noticed(let until, _) where until <= now: refuseNewStreams()
    case .refusing(let grace) where grace <= now: endDrain()
    default: break
    }
    var next = min(handshakeDeadline, partDeadline, lookAtSilence(now))
    switch drain {
    case .noticed(let until, _): next = min(next, until)
    case .refusing(let grace): next = min(next, grace)
    case .no, .over: break
    }
    for stream in streams.values where !stream.isEnded {
      guard let deadline = stream.call.deadline else { continue }
      if deadline <= now { expire(stream) } else { next = min(next, deadline) }
    }
    transport?.flushSoon()
    return next
  }

  /// Answers when to look again. Not while draining: that ends by itself.
  func lookAtSilence(_ now: Instant) -> Instant {
    guard !isDraining, !isClosed else { return .distantFuture }
    let (next, asks) = silence.look(now)
    if asks { session.ping(1) }
    if next == nil { transport?.close(Fault(.unavailable, "the peer does not answer")) }
    return next ?? .distantFuture
  }

  /// A client whose own clock is a little behind makes CANCELLED of a bare reset, so the status goes first, unless it
  /// would have to wait behind messages that nobody reads. What follows the status is NO_ERROR: CANCEL behind it would
  /// take its place.
  func expire(_ stream: ServerStream) {
    let fault = Fault(.deadlineExceeded, "the call's deadline has passed")
    guard let body = stream.body, body.pendingCount > 0 else { return fail(stream, fault) }
    session.reset(stream: stream.id, code: HTTP2Code.cancel)
    end(stream, status: fault.code)
    stream.cancel(fault)
  }
}
