internal import Base
internal import NIOCore
internal import Synchronization

/// What all connections of a server share; immutable but for the counters.
struct ServerShared: Sendable {
  let methods: MethodTable
  let limits: WireLimits
  let plaintextRoles: Set<Role>
  let trustDomain: String?
  let time: any TimeSource
  let counters: ServerCounters
  let observer: (@Sendable (CallRecord) -> Void)?
}

/// One client's connection: its open calls, from request headers to trailers; lives on its event loop.
final class ServerConnection: TransportOwner {
  private enum Drain {
    case no
    /// The first GOAWAY is out; the second follows a PING's answer, or this moment.
    case noticed(until: Instant, grace: Instant)
    case refusing(grace: Instant)
    case over
  }

  let shared: ServerShared
  let link: ServerLink
  let session: Session
  var streams: [Int32: ServerStream] = [:]
  private(set) var peer: Peer
  private weak var transport: Transport<ServerConnection>?
  private let alarm: Alarm
  private var handshakeDeadline: Instant
  private var headersDeadline = Instant.distantFuture
  private var drain = Drain.no
  private var silence: PeerSilence
  private var isClosed = false
  /// Reused for the messages that one piece of a body completes.
  private var scratch: [[UInt8]] = []
  /// Message bytes held for this connection: received, and queued for sending.
  private var heldCount = 0
  private(set) var sendingCount = 0
  private let closed: @Sendable () -> Void

  init(
    shared: ServerShared, session: Session, eventLoop: any EventLoop, address: String,
    closed: @escaping @Sendable () -> Void
  ) {
    self.shared = shared
    self.session = session
    self.closed = closed
    link = ServerLink(eventLoop: eventLoop)
    peer = Peer(roles: shared.plaintextRoles, address: address)
    silence = PeerSilence(shared.limits)
    alarm = Alarm(eventLoop: eventLoop, time: shared.time)
    handshakeDeadline = shared.time.instant.advanced(byMilliseconds: shared.limits.handshakeMilliseconds)
    link.connection = self
  }

  func attach(_ transport: Transport<ServerConnection>) {
    self.transport = transport
    alarm.ring = { [weak self] now in self?.ring(now) ?? .distantFuture }
    alarm.set(handshakeDeadline)
  }

  func flushSoon() { transport?.flushSoon() }

  // MARK: The transport's news

  func transportDidOpen(_ certificate: PeerCertificate?) throws(Fault) {
    guard let trustDomain = shared.trustDomain else { return }
    guard let certificate else {
      peer.roles = []
      return
    }
    let (role, uri) = try certificate.identity(trustDomain: trustDomain)
    peer.role = role
    peer.roles = [role]
    peer.uri = uri
    peer.subject = certificate.subject
  }

  func transportDidClose(_ fault: Fault) {
    isClosed = true
    alarm.stop()
    if handshakeDeadline != .distantFuture { shared.counters.refusedConnections.add(1, ordering: .relaxed) }
    for stream in streams.values {
      if !stream.isEnded { end(stream, status: .cancelled) }
      stream.cancel(Fault(.cancelled, "the caller's connection is gone"))
      release(stream)
    }
    streams.removeAll()
    link.close()
  }

  func transportIsGone() { closed() }

  func transport(didReceive event: SessionEvent, bytes: [UInt8]) {
    silence.heard()
    switch event {
    case .headersBegan:
      headersDeadline = shared.time.instant.advanced(byMilliseconds: shared.limits.headersMilliseconds)
      alarm.set(headersDeadline)
    case .headers(let id, let block, let endsStream, let isTooLarge):
      headersDeadline = .distantFuture
      if let stream = streams[id] {
        // Trailers of a request mean nothing in gRPC but its end.
        if endsStream { finishRequest(stream) }
      } else if block.first(":method") != nil || isTooLarge {
        receiveRequest(id, block, endsStream: endsStream, isTooLarge: isTooLarge)
      }
    case .data(let id, let start, let count):
      session.consumeConnection(count)
      if let stream = streams[id] { receiveData(stream, bytes[start..<start + count]) }
    case .endOfBody(let id):
      if let stream = streams[id] { finishRequest(stream) }
    case .endSentEarly(let id):
      session.reset(stream: id, code: HTTP2Code.noError)
    case .bodyRead(let id, let count):
      guard let stream = streams[id] else { return }
      countSending(stream, -count)
      stream.gate?.leave(count)
    case .closed(let id, let code):
      headersDeadline = .distantFuture
      streamClosed(id, code: code)
    case .settings:
      handshakeDeadline = .distantFuture
      alarm.set(silence.begin(shared.time.instant))
    case .pingAcknowledged: if !silence.answered() { refuseNewStreams() }
    case .goAway, .notSent: break
    }
  }

  private func streamClosed(_ id: Int32, code: UInt32) {
    session.forget(stream: id)
    guard let stream = streams.removeValue(forKey: id) else { return }
    if !stream.isEnded {
      end(stream, status: .cancelled)
      stream.cancel(Fault(.cancelled, "the caller reset the stream (HTTP/2 code \(code))"))
    } else {
      stream.gate?.close(Fault(.cancelled, "the call has ended"))
    }
    release(stream)
  }

  // MARK: Request bodies

  private func receiveData(_ stream: ServerStream, _ bytes: ArraySlice<UInt8>) {
    guard !stream.isEnded, !stream.hasPeerEnded else {
      session.consumeStream(stream.id, bytes.count)
      return
    }
    stream.unconsumedCount += bytes.count
    countHeld(stream, bytes.count)
    guard heldCount <= shared.limits.connectionBufferedBytesMax else {
      return fail(stream, Fault(.resourceExhausted, "too many bytes of unfinished calls on one connection"))
    }
    do throws(Fault) {
      try stream.deframer.push(bytes, into: &scratch)
    } catch {
      scratch.removeAll(keepingCapacity: true)
      return fail(stream, error)
    }
    for message in scratch { receiveMessage(stream, message) }
    scratch.removeAll(keepingCapacity: true)
    openWindow(stream)
  }

  private func receiveMessage(_ stream: ServerStream, _ message: [UInt8]) {
    guard !stream.isEnded else { return }
    if let queue = stream.queue {
      stream.queuedCount += 1
      queue.push(message)
    } else if stream.message == nil {
      stream.message = message
    } else {
      fail(stream, Fault(.unimplemented, "\(stream.method.path) takes one message, and a second came"))
    }
  }

  /// The peer may send on once its handler has nothing left to take: so a message longer than the window arrives,
  /// and no more than a window is queued.
  private func openWindow(_ stream: ServerStream) {
    guard stream.queuedCount == 0, stream.unconsumedCount > 0 else { return }
    session.consumeStream(stream.id, stream.unconsumedCount)
    stream.unconsumedCount = 0
  }

  private func finishRequest(_ stream: ServerStream) {
    stream.hasPeerEnded = true
    guard !stream.isEnded else { return }
    guard stream.deframer.isBetweenMessages else {
      return fail(stream, Fault(.internalError, "the request ends in the middle of a message"))
    }
    switch stream.method.handler {
    case .streaming: stream.queue?.finish(.success(()), drops: false)
    case .unary(let body):
      guard let message = stream.message.take() else {
        return fail(stream, Fault(.unimplemented, "\(stream.method.path) takes one message, and none came"))
      }
      countHeld(stream, -stream.heldCount)
      body(stream.call, message)
    }
  }

  // MARK: Answers

  /// Does what a call asked for. Its stream may be gone: then there is nobody to do it for.
  func perform(_ command: ServerLink.Command) {
    switch command {
    case .reply(let id, let message):
      guard let stream = streams[id], !stream.isEnded else { return }
      let body = openBody(stream, reportsReads: false)
      body.append(message)
      countSending(stream, message.count + OutboundBody.prefixCount)
      body.finish(trailers: trailers(stream, nil))
      session.resume(stream: id, body)
      end(stream, status: nil)
    case .fail(let id, let fault):
      if let stream = streams[id], !stream.isEnded { fail(stream, fault) }
    case .send(let id, let message):
      guard let stream = streams[id], !stream.isEnded else { return }
      let body = openBody(stream, reportsReads: true)
      body.append(message)
      countSending(stream, message.count + OutboundBody.prefixCount)
      session.resume(stream: id, body)
    case .finish(let id):
      guard let stream = streams[id], !stream.isEnded else { return }
      let body = openBody(stream, reportsReads: true)
      body.finish(trailers: trailers(stream, nil))
      session.resume(stream: id, body)
      end(stream, status: nil)
    case .took(let id, let count):
      guard let stream = streams[id] else { return }
      stream.queuedCount -= 1
      countHeld(stream, -(count + OutboundBody.prefixCount))
      openWindow(stream)
    }
  }

  /// The response's headers go out with its first message.
  private func openBody(_ stream: ServerStream, reportsReads: Bool) -> OutboundBody {
    if let body = stream.body { return body }
    let body = OutboundBody(hasTrailers: true, reportsReads: reportsReads)
    stream.body = body
    var headers: HeaderBlock?
    if let metadata = stream.call.takeInitialMetadata() {
      var block = HeaderBlock.everydayResponse
      metadata.encode(into: &block)
      headers = block
    }
    session.respond(stream: stream.id, headers: headers, body: body)
    return body
  }

  private func trailers(_ stream: ServerStream, _ fault: Fault?) -> HeaderBlock? {
    let custom = stream.call.takeTrailers()
    if fault == nil, custom == nil { return nil }
    var block = HeaderBlock()
    if let fault { StatusMapping.append(fault, to: &block) } else { block.append("grpc-status", "0") }
    custom?.encode(into: &block)
    return block
  }

  func fail(_ stream: ServerStream, _ fault: Fault) {
    if let body = stream.body {
      body.finish(trailers: trailers(stream, fault))
      session.resume(stream: stream.id, body)
    } else {
      var block = HeaderBlock.everydayResponse
      stream.call.takeInitialMetadata()?.encode(into: &block)
      StatusMapping.append(fault, to: &block)
      stream.call.takeTrailers()?.encode(into: &block)
      session.respond(stream: stream.id, headers: block, body: nil)
    }
    end(stream, status: fault.code)
    // A handler that still runs, because the fault wasn't its own, works for nobody.
    stream.cancel(fault)
  }

  /// The status is decided.
  private func end(_ stream: ServerStream, status: Fault.Code?) {
    stream.isEnded = true
    countHeld(stream, -stream.heldCount)
    shared.counters.open.subtract(1, ordering: .relaxed)
    if status != nil { shared.counters.failed.add(1, ordering: .relaxed) }
    if let observer = shared.observer {
      let nanoseconds = shared.time.instant.nanoseconds(since: stream.started)
      observer(CallRecord(path: stream.method.path, status: status?.rawValue ?? 0, nanoseconds: nanoseconds))
    }
  }

  // MARK: Counting

  private func countHeld(_ stream: ServerStream, _ change: Int) {
    let change = max(change, -stream.heldCount)
    guard change != 0 else { return }
    stream.heldCount += change
    heldCount += change
    shared.counters.buffered.add(change, ordering: .relaxed)
  }

  private func countSending(_ stream: ServerStream, _ change: Int) {
    stream.sendingCount += change
    sendingCount += change
    shared.counters.buffered.add(change, ordering: .relaxed)
  }

  private func release(_ stream: ServerStream) {
    countHeld(stream, -stream.heldCount)
    countSending(stream, -stream.sendingCount)
  }

  // MARK: Time

  func watch(deadline: Instant) { alarm.set(deadline) }

  /// Ends what has run out of time; answers when to look again.
  private func ring(_ now: Instant) -> Instant {
    if handshakeDeadline <= now || headersDeadline <= now {
      transport?.close(Fault(.unavailable, "the peer took too long"))
      return .distantFuture
    }
    switch drain {
    case .noticed(let until, _) where until <= now: refuseNewStreams()
    case .refusing(let grace) where grace <= now: endDrain()
    default: break
    }
    var next = min(handshakeDeadline, headersDeadline, lookAtSilence(now))
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
  private func lookAtSilence(_ now: Instant) -> Instant {
    guard !isDraining, !isClosed else { return .distantFuture }
    let (next, asks) = silence.look(now)
    if asks { session.ping(1) }
    if next == nil { transport?.close(Fault(.unavailable, "the peer does not answer")) }
    return next ?? .distantFuture
  }

  /// A client whose own clock is a little behind makes CANCELLED of a bare reset, so the status goes first, unless it
  /// would have to wait behind messages that nobody reads. What follows the status is NO_ERROR: CANCEL behind it would
  /// take its place.
  private func expire(_ stream: ServerStream) {
    let fault = Fault(.deadlineExceeded, "the call's deadline has passed")
    guard let body = stream.body, body.pendingCount > 0 else { return fail(stream, fault) }
    session.reset(stream: stream.id, code: HTTP2Code.cancel)
    end(stream, status: fault.code)
    stream.cancel(fault)
  }

  // MARK: Shutting down

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

  private func refuseNewStreams() {
    guard case .noticed(_, let grace) = drain else { return }
    drain = .refusing(grace: grace)
    session.shutDown()
    alarm.set(grace)
  }

  private func endDrain() {
    drain = .over
    for stream in streams.values where !stream.isEnded {
      fail(stream, Fault(.unavailable, "the server shut down before the call had ended"))
    }
    session.terminate(code: HTTP2Code.noError)
  }
}
