internal import Base
internal import NIOCore

/// One HTTP/2 connection to a server with the calls on it; lives on its event loop.
final class ClientSession: TransportOwner {
  private static let lastStream: Int32 = 1 << 30

  let session: Session
  weak var transport: Transport<ClientSession>?
  /// By which the server was last found to be one that we trust.
  var certificates: TLSContext?
  private let target: ClientTarget
  private weak var core: ClientCore?
  private var streams: [Int32: ClientStream] = [:]
  private var scratch: [WireMessage] = []
  private var isReady = false
  private var isLeaving = false
  private var isClosed = false
  /// Set when the connection is given up before it had a channel.
  private var abortFault: Fault?

  // Keepalive.
  private var hasHeard = false
  private var pingDue = Instant.distantFuture
  private var answerDue = Instant.distantFuture

  init(target: ClientTarget, core: ClientCore) {
    self.target = target
    self.core = core
    session = Session(side: .client, limits: target.limits, time: target.time)
  }

  var hasRoom: Bool { isReady && !isLeaving && streams.count < session.peerConcurrentStreamsMax }

  func flushSoon() { transport?.flushSoon() }

  // MARK: What callers ask for

  func open(_ stream: ClientStream) {
    let body = stream.body ?? OutboundBody(hasTrailers: false, reportsReads: stream.isStreaming)
    if case .unary(let request, _) = stream.shape {
      body.append(request)
      body.finish()
    }
    let headers = stream.headers(
      host: target.authority, isSecure: target.tls != nil, now: target.time.instant)
    guard let id = session.request(headers: headers, body: body) else {
      return stream.fail(
        Fault(.unavailable, "this connection has no more streams"), isSafeToRetry: true)
    }
    stream.id = id
    stream.session = self
    stream.body = body
    streams[id] = stream
    if pingDue == .distantFuture, let keepalive = target.keepalive {
      pingDue = target.time.instant.advanced(byMilliseconds: keepalive.intervalMilliseconds)
      core?.watch(pingDue)
    }
    stream.opened()
    if id >= Self.lastStream { leave() }
    transport?.flushSoon()
  }

  /// The numbers of this connection's streams are running out: the next calls need another one.
  private func leave() {
    isLeaving = true
    session.shutDown()
    core?.sessionIsLeaving(self)
  }

  func send(_ stream: ClientStream, _ message: WireMessage) {
    guard !stream.isEnded, let body = stream.body, !body.isFinished else { return }
    body.append(message)
    session.resume(stream: stream.id, body)
  }

  func finishSending(_ stream: ClientStream) {
    guard !stream.isEnded, let body = stream.body, !body.isFinished else { return }
    body.finish()
    session.resume(stream: stream.id, body)
  }

  func cancel(_ stream: ClientStream) {
    session.reset(stream: stream.id, code: HTTP2Code.cancel)
    transport?.flushSoon()
  }

  func took(_ stream: ClientStream, _ count: Int) {
    stream.queuedCount -= 1
    openWindow(stream)
  }

  func close() {
    guard !isClosed else { return }
    let fault = Fault(.cancelled, "the client closed its connection")
    // Should it have no channel yet, it gets none.
    abortFault = fault
    session.terminate(code: HTTP2Code.noError)
    transport?.flush()
    transport?.close(fault)
  }

  func abort(_ fault: Fault) {
    abortFault = fault
    transport?.abort(fault)
    core?.sessionFailed(self, fault)
  }

  /// Ends the connection if its server's certificate was revoked. A handshake that isn't over by then is looked at the next
  /// time.
  func recheck(_ current: TLSContext) {
    guard let transport, !transport.isShakingHands, certificates !== current else { return }
    certificates = current
    guard case .revoked = transport.standing(by: current) else { return }
    abort(Fault(.unavailable, "the certificate of \(target.authority) was revoked"))
  }

  // MARK: The transport's news

  func transportDidOpen(_ certificate: PeerCertificate?) throws(Fault) {
    if let abortFault { throw abortFault }
    try target.tls?.admitServer(certificate)
  }

  func transportDidClose(_ fault: Fault) {
    guard !isClosed else { return }
    isClosed = true
    let open = streams.values.sorted { $0.id < $1.id }
    streams = [:]
    // What we decided is the reason, not what followed from it.
    let fault = abortFault ?? fault
    core?.sessionFailed(self, fault)
    for stream in open { lose(stream, fault) }
  }

  /// A call whose request has not left goes elsewhere: of any other nobody knows whether the server has seen it.
  private func lose(_ stream: ClientStream, _ fault: Fault) {
    if !session.isOpen(stream: stream.id) { stream.wasNotSent = true }
    if stream.wasNotSent, stream.canMove {
      stream.move()
      core?.start(stream)
    } else {
      stream.fail(
        Fault(fault.code, "the connection to \(target.authority) was lost: \(fault.message)"),
        isSafeToRetry: stream.wasNotSent)
    }
  }

  func transportIsGone() {}

  func transport(didReceive event: SessionEvent, bytes: [UInt8]) {
    hasHeard = true
    switch event {
    case .partBegan: break
    // Servers open no streams here: `Session` has refused them by its settings.
    case .request: break
    case .headers(let id, let headers, let endsStream, let isTooLarge):
      guard let stream = streams[id], !stream.isEnded else { return }
      if isTooLarge {
        giveUp(stream, Fault(.resourceExhausted, "the response's header list is over the limit"))
      } else {
        receiveHeaders(stream, headers.block, endsStream: endsStream)
      }
    case .data(let id, let start, let count):
      session.consumeConnection(count)
      if let stream = streams[id] { receiveData(stream, bytes[start..<start + count]) }
    case .endOfBody(let id):
      guard let stream = streams[id], !stream.isEnded else { return }
      stream.fail(Fault(.unknown, "the response ended without a grpc-status"))
    case .endSentEarly: break
    case .notSent(let id): streams[id]?.wasNotSent = true
    case .bodyRead(let id, let count):
      if let stream = streams[id], case .streaming(let ends) = stream.shape { ends.gate.leave(count) }
    case .closed(let id, let code): streamClosed(id, code)
    case .settings:
      isReady = true
      core?.sessionIsReady(self)
    case .pingAcknowledged: answerDue = .distantFuture
    case .goAway:
      isLeaving = true
      core?.sessionIsLeaving(self)
    }
  }

  private func streamClosed(_ id: Int32, _ code: UInt32) {
    session.forget(stream: id)
    guard let stream = streams.removeValue(forKey: id) else { return }
    let isUnseen = stream.wasNotSent || code == HTTP2Code.refusedStream
    if isUnseen, stream.canMove {
      stream.move()
      core?.start(stream)
    } else if stream.wasNotSent {
      stream.fail(Fault(.unavailable, "\(target.authority) takes no more calls"), isSafeToRetry: true)
    } else if !stream.isEnded {
      var fault = Fault(
        StatusMapping.code(http2: code), "the server reset the stream (HTTP/2 code \(code))")
      if code == HTTP2Code.cancel, let deadline = stream.deadline, deadline <= target.time.instant {
        fault = Fault(.deadlineExceeded, "the call's deadline has passed")
      }
      stream.fail(fault, isSafeToRetry: isUnseen)
    }
    core?.sessionHasRoom()
  }

  // MARK: Responses

  private func receiveHeaders(_ stream: ClientStream, _ block: HeaderBlock, endsStream: Bool) {
    if stream.initialHeaders == nil {
      let status = block.text(":status") ?? ""
      if status.hasPrefix("1") { return }
      if !endsStream || block.first("grpc-status") == nil {
        guard status == "200" else {
          return giveUp(
            stream, Fault(StatusMapping.code(httpStatus: status), "HTTP status \(status) and no grpc-status"))
        }
        guard let type = block.first("content-type"), ContentType.isGRPC(type) else {
          return giveUp(stream, Fault(.unknown, "the response is not gRPC: its content-type is another"))
        }
        beginResponse(stream, block)
        if !endsStream { return }
      }
    }
    guard endsStream else {
      return giveUp(stream, Fault(.internalError, "a second header list, and the response goes on"))
    }
    finish(stream, trailers: block)
  }

  private func beginResponse(_ stream: ClientStream, _ block: HeaderBlock) {
    stream.initialHeaders = block
    let encoding = MessageEncoding(block)
    if !encoding.isIdentity {
      stream.deframer = MessageDeframer(
        messageBytesMax: target.limits.messageBytesMax, side: .client, encoding: encoding)
    }
    if case .streaming(let ends) = stream.shape { ends.arrived(initial: Metadata(decoding: block)) }
  }

  private func finish(_ stream: ClientStream, trailers: HeaderBlock) {
    guard let status = trailers.first("grpc-status") else {
      return giveUp(stream, Fault(.unknown, "the response ended without a grpc-status"))
    }
    if let fault = StatusMapping.fault(trailers: trailers, status: status) {
      stream.fail(fault, trailers: trailers)
    } else if !stream.deframer.isBetweenMessages {
      stream.fail(Fault(.internalError, "the response ends in the middle of a message"), trailers: trailers)
    } else {
      stream.succeed(trailers: trailers)
    }
    // What we had left to send interests nobody.
    if let body = stream.body, !body.isFinished || body.pendingCount > 0 {
      session.reset(stream: stream.id, code: HTTP2Code.cancel)
    }
  }

  /// Ends the call on our side.
  func giveUp(_ stream: ClientStream, _ fault: Fault) {
    stream.fail(fault)
    session.reset(stream: stream.id, code: HTTP2Code.cancel)
  }

  private func receiveData(_ stream: ClientStream, _ bytes: ArraySlice<UInt8>) {
    guard !stream.isEnded else { return session.consumeStream(stream.id, bytes.count) }
    guard stream.initialHeaders != nil else {
      return giveUp(stream, Fault(.internalError, "a body before its headers"))
    }
    stream.unconsumedCount += bytes.count
    do throws(Fault) {
      try stream.deframer.push(bytes, into: &scratch)
    } catch {
      scratch.removeAll(keepingCapacity: true)
      return giveUp(stream, error)
    }
    for message in scratch where !stream.isEnded {
      switch stream.shape {
      case .streaming(let ends):
        stream.queuedCount += 1
        ends.queue.push(message)
      case .unary where stream.message == nil: stream.message = message
      case .unary:
        giveUp(stream, Fault(.unimplemented, "\(stream.path) was answered with more than one message"))
      }
    }
    scratch.removeAll(keepingCapacity: true)
    openWindow(stream)
  }

  private func openWindow(_ stream: ClientStream) {
    guard stream.queuedCount == 0, stream.unconsumedCount > 0 else { return }
    session.consumeStream(stream.id, stream.unconsumedCount)
    stream.unconsumedCount = 0
  }

  // MARK: Time

  /// Ends what has run out of time; answers when to look again.
  func ring(_ now: Instant) -> Instant {
    var next = Instant.distantFuture
    for stream in streams.values where !stream.isEnded {
      guard let deadline = stream.deadline else { continue }
      if deadline <= now {
        session.reset(stream: stream.id, code: HTTP2Code.cancel)
        stream.fail(Fault(.deadlineExceeded, "the call's deadline has passed"), drops: true)
      } else {
        next = min(next, deadline)
      }
    }
    next = min(next, keepAlive(now))
    transport?.flushSoon()
    return next
  }

  private func keepAlive(_ now: Instant) -> Instant {
    guard let keepalive = target.keepalive, isReady, !isClosed else { return .distantFuture }
    if answerDue <= now {
      abort(Fault(.unavailable, "\(target.authority) does not answer"))
      return .distantFuture
    }
    if pingDue <= now {
      if !hasHeard, answerDue == .distantFuture, !streams.isEmpty {
        session.ping(1)
        answerDue = now.advanced(byMilliseconds: keepalive.timeoutMilliseconds)
      }
      hasHeard = false
      pingDue =
        streams.isEmpty ? .distantFuture : now.advanced(byMilliseconds: keepalive.intervalMilliseconds)
    }
    return min(pingDue, answerDue)
  }
}

extension ClientStream {
  var isStreaming: Bool { if case .streaming = shape { true } else { false } }
}
