internal import Base

extension ServerConnection {
  func watch(deadline: Instant) { alarm.set(deadline) }

  /// Ends what has run out of time; answers when to look again.
  func ring(_ now: Instant) -> Instant {
    if handshakeDeadline <= now || partDeadline <= now {
      transport?.close(Fault(.unavailable, "the peer took too long"))
      return .distantFuture
    }
    var next = min(
      handshakeDeadline, partDeadline, lookAtSilence(now), proceedDrain(now), lookAtAge(now))
    for stream in streams.values where !stream.isEnded {
      guard let deadline = stream.call?.deadline else { continue }
      if deadline <= now { expire(stream) } else { next = min(next, deadline) }
    }
    next = min(next, endStalled(now))
    transport?.flushSoon()
    return next
  }

  /// Answers when to look again. Not while the server shuts down: that ends by itself.
  func lookAtSilence(_ now: Instant) -> Instant {
    guard drainCause != .shutdown, !isClosed else { return .distantFuture }
    let (next, asks) = silence.look(now)
    if asks {
      trim()
      session.ping(Self.silencePing)
    }
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
