internal import Base

extension ServerConnection {
  /// Ends what a peer leaves half-done, for too long; answers when to look again.
  func endStalled(_ now: Instant) -> Instant {
    var next = finishLatePlainRequests(now)
    for stream in streams.values {
      next = min(next, lookAtRequest(stream, now), lookAtReply(stream, now))
    }
    return min(next, lookAtConnection(now))
  }

  /// A unary call owes its message from the start, a streaming one the rest of a message that has begun: between
  /// messages it may be silent. Nothing is owed while the peer's window is shut.
  private func lookAtRequest(_ stream: ServerStream, _ now: Instant) -> Instant {
    guard !stream.hasPeerEnded, !stream.isEnded else { return .distantFuture }
    let milliseconds = shared.limits.bodyMilliseconds
    var watch =
      stream.receiving ?? StallWatch(milliseconds, since: stream.queue == nil ? stream.started : nil)
    defer { stream.receiving = watch }
    let isOwed = stream.queue == nil || (!stream.deframer.isBetweenMessages && stream.queuedCount == 0)
    if let next = watch.look(now, isOwed: isOwed, total: stream.receivedCount) { return next }
    fail(stream, Fault(.deadlineExceeded, "the request stopped in its middle for \(milliseconds) ms"))
    return .distantFuture
  }

  private func lookAtReply(_ stream: ServerStream, _ now: Instant) -> Instant {
    guard let body = stream.body else { return .distantFuture }
    let milliseconds = shared.limits.readMilliseconds
    var watch = stream.sending ?? StallWatch(milliseconds)
    defer { stream.sending = watch }
    let isOwed = body.pendingCount > 0
    let total = stream.sentCount + stream.sendingCount - body.pendingCount
    if let next = watch.look(now, isOwed: isOwed, total: total) { return next }
    session.reset(stream: stream.id, code: HTTP2Code.cancel)
    let fault = Fault(.cancelled, "the caller read nothing of the reply for \(milliseconds) ms")
    if !stream.isEnded { end(stream, status: fault.code) }
    stream.cancel(fault)
    return .distantFuture
  }

  /// The connection itself takes nothing: its streams' windows may be open, and their resets can't leave either.
  private func lookAtConnection(_ now: Instant) -> Instant {
    guard !isClosed else { return .distantFuture }
    if let next = sending.look(now, isOwed: session.wantsWrite, total: session.gatheredCount) { return next }
    transport?.abort(Fault(.unavailable, "the peer reads nothing"))
    return .distantFuture
  }
}
