internal import Base
internal import Synchronization

extension ServerConnection {
  /// Ends what a peer leaves half-done, for too long; answers when to look again.
  func endStalled(_ now: Instant) -> Instant {
    var next = finishLatePlainRequests(now)
    for stream in streams.values {
      next = min(next, lookAtRequest(stream, now), lookAtReply(stream, now))
    }
    return min(next, lookAtReader(now), lookAtConnection(now))
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
    let fault = Fault(.cancelled, "the caller read nothing of the reply for \(milliseconds) ms")
    giveUp(stream, code: HTTP2Code.cancel, fault)
    return .distantFuture
  }

  /// The connection itself takes nothing: its streams' windows may be open, and their resets can't leave either.
  private func lookAtConnection(_ now: Instant) -> Instant {
    guard !isClosed else { return .distantFuture }
    if let next = sending.look(now, isOwed: session.wantsWrite, total: session.gatheredCount) { return next }
    transport?.abort(Fault(.unavailable, "the peer reads nothing"))
    return .distantFuture
  }

  private func giveUp(_ stream: ServerStream, code: UInt32, _ fault: Fault) {
    session.reset(stream: stream.id, code: code)
    if !stream.isEnded { end(stream, status: fault.code) }
    stream.cancel(fault)
  }

  // MARK: Slow readers

  /// More waits than an everyday caller leaves: from now on it is looked at whether it moves, until it has gone.
  func watchReader() {
    alarm.set(reader.begin(shared.time.instant, sent: session.dataSentCount))
  }

  /// Whether new calls would only add to replies that the peer doesn't take. Refusing them costs nothing to hold.
  var isReaderTooSlow: Bool {
    reader.hasStalled(sent: session.dataSentCount) && sendingCount > reader.bytesMax && isStrained
  }

  private var isStrained: Bool {
    shared.counters.buffered.load(ordering: .relaxed) > shared.limits.strainedBytes
  }

  /// While the server holds much, a peer that takes next to nothing doesn't keep its replies for the whole of
  /// `readMilliseconds`. Streaming replies are let be: their writers wait, and their callers may have to think.
  private func lookAtReader(_ now: Instant) -> Instant {
    guard reader.isWatching, !isClosed else { return .distantFuture }
    let waiting = streams.values.filter { $0.gate == nil && ($0.body?.pendingCount ?? 0) > 0 }
    let count = waiting.reduce(0) { $0 + ($1.body?.pendingCount ?? 0) }
    if let next = reader.look(now, waiting: count, sent: session.dataSentCount) { return next }
    if isStrained {
      let fault = Fault(
        .resourceExhausted, "the caller took next to nothing of its replies while the server was full")
      for stream in waiting { giveUp(stream, code: HTTP2Code.enhanceYourCalm, fault) }
    }
    return reader.nextLook(now)
  }
}
