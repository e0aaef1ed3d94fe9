internal import Base
internal import NIOCore
internal import Synchronization

/// One client's connection: its open calls, from request headers to trailers; lives on its event loop.
///
/// What it does with them is told in its extensions, in the order in which data flows: Requests, Bodies, Answers, or
/// Plain when it isn't gRPC; and Time, Stalls and Drain, which end them.
final class ServerConnection: TransportOwner {
  /// What tells our PINGs apart when they are answered.
  static let drainPing: UInt64 = 0
  static let silencePing: UInt64 = 1

  let shared: ServerShared
  let link: ServerLink
  let session: Session
  @exclusivity(unchecked) var streams = StreamTable<ServerStream>()
  /// Requests that aren't gRPC and have not ended.
  @exclusivity(unchecked) var plainRequests: [Int32: PlainRequest] = [:]
  private(set) var peer: Peer { didSet { caller = Caller(peer) } }
  /// The same, as its calls hold it.
  @exclusivity(unchecked) private(set) var caller: Caller
  /// That of the request before, which the peer may make: most peers make the same one again and again.
  @exclusivity(unchecked) var lastHead: RequestHead?
  /// Holds this connection, and is held by it until ``transportIsGone()``: a weak reference would cost each call more
  /// than most of what is done for it.
  @exclusivity(unchecked) private(set) var transport: Transport<ServerConnection>?
  /// When what is being handled was heard: one look at the clock for all that one read brought.
  @exclusivity(unchecked) private(set) var heardAt: Instant
  let alarm: Alarm
  @exclusivity(unchecked) var handshakeDeadline: Instant
  @exclusivity(unchecked) var drain = Drain.no
  /// Why it drains, once it does.
  var drainCause = DrainCause.age
  var age = ConnectionAge.notBegun
  @exclusivity(unchecked) var silence: PeerSilence
  @exclusivity(unchecked) var sending: StallWatch
  /// Whether replies that wait to be read are read; see ``watchReader()``.
  @exclusivity(unchecked) var reader: ReaderWatch
  @exclusivity(unchecked) var isClosed = false
  /// Whom to trust, when that changed before the peer had shown its certificate.
  var recheckAtOpening: TLSContext?
  /// Those of calls that are over, for the next ones.
  @exclusivity(unchecked) var spareStreams: [ServerStream] = []
  private static let spareStreamsMax = 16
  /// Reused for the messages that one piece of a body completes.
  @exclusivity(unchecked) var scratch: [WireMessage] = []
  /// Message bytes held for this connection: received, and queued for sending.
  @exclusivity(unchecked) var heldCount = 0
  @exclusivity(unchecked) var sendingCount = 0
  @exclusivity(unchecked) var changes = CounterChanges()
  private let closed: @Sendable () -> Void

  init(
    shared: ServerShared, session: Session, eventLoop: any EventLoop, address: String,
    closed: @escaping @Sendable () -> Void
  ) {
    self.shared = shared
    self.session = session
    self.closed = closed
    link = ServerLink(eventLoop: eventLoop)
    peer = Peer(roles: shared.anonymousRoles, address: address)
    caller = Caller(peer)
    silence = PeerSilence(shared.limits)
    sending = StallWatch(shared.limits.readMilliseconds)
    reader = ReaderWatch(shared.limits)
    alarm = Alarm(eventLoop: eventLoop, time: shared.time)
    heardAt = shared.time.instant
    handshakeDeadline = heardAt.advanced(byMilliseconds: shared.limits.handshakeMilliseconds)
    link.connection = self
  }

  func attach(_ transport: Transport<ServerConnection>) {
    self.transport = transport
    // Not weak: all that the loop does with an object that has a weak reference takes longer. The alarm is stopped when
    // the transport closes, and that holds this connection until then.
    alarm.ring = { [unowned self] now in ring(now) }
    alarm.set(handshakeDeadline)
  }

  /// While events are heard there is a flush behind them anyway.
  func flushSoon() { if !changes.isHearing { transport?.flushSoon() } }

  /// By when the frame or header block that the peer has begun must be whole.
  var partDeadline: Instant {
    session.partialSince.advanced(byMilliseconds: shared.limits.headersMilliseconds)
  }

  // MARK: The transport's news

  func transportDidOpen(_ certificate: PeerCertificate?) throws(Fault) {
    guard let trustDomain = shared.trustDomain else { return }
    guard let certificate else { return }
    peer.subject = certificate.subject
    let (role, uri) = try identity(in: certificate, trustDomain: trustDomain)
    peer.role = role
    peer.roles = [role]
    peer.uri = uri
    if let context = recheckAtOpening {
      recheckAtOpening = nil
      recheck(context)
    }
  }

  func transportDidRefuse(_ certificate: PeerCertificate?, _ fault: Fault) {
    auditHandshake(certificate, fault)
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

  func transportIsGone() {
    transport = nil
    closed()
  }

  func transportWillReport() {
    heardAt = shared.time.instant
    changes.begin()
  }

  func transportDidReport() { changes.settle(shared.counters) }

  /// Replies that wait are counted by their bytes, and so hold no more.
  func transportDidFlush() {
    guard sendingCount > reader.bytesMax else { return }
    for stream in streams.values { stream.body?.fit() }
  }

  func transport(didReceive event: SessionEvent, bytes: [UInt8]) {
    // What was heard along with the end of the connection: nobody is there for it.
    guard !isClosed else { return }
    if event.isFromPeer { silence.heard() }
    switch event {
    case .partBegan: alarm.set(partDeadline)
    case .request(let id, let headers, let timeout, let endsStream, let isTooLarge):
      receiveRequest(id, headers, timeout, endsStream: endsStream, isTooLarge: isTooLarge)
      if !endsStream { alarm.set(heardAt.advanced(byMilliseconds: shared.limits.bodyMilliseconds)) }
    case .headers(let id, _, let endsStream, _):
      // Trailers of a request mean nothing in gRPC but its end.
      guard endsStream else { return }
      if let stream = streams[id] { finishRequest(stream) } else { finishPlainly(id) }
    case .data(let id, let start, let count):
      session.consumeConnection(count)
      if let stream = streams[id] {
        bytes.withUnsafeBufferPointer {
          receiveData(stream, UnsafeBufferPointer(rebasing: $0[start..<start + count]))
        }
      } else {
        receivePlainly(id, count)
      }
    case .endOfBody(let id):
      if let stream = streams[id] { finishRequest(stream) } else { finishPlainly(id) }
    case .endSentEarly(let id):
      session.reset(stream: id, code: HTTP2Code.noError)
    case .bodyRead(let id, let count):
      guard let stream = streams[id] else { return }
      countSending(stream, -count)
      stream.sentCount += count
      stream.gate?.leave(count)
    case .closed(let id, let code):
      streamClosed(id, code: code)
    case .settings:
      if handshakeDeadline != .distantFuture { beginAge() }
      handshakeDeadline = .distantFuture
      alarm.set(silence.begin(shared.time.instant))
    case .pingAcknowledged(let value): if value == Self.drainPing { refuseNewStreams() }
    case .goAway, .notSent: break
    }
  }

  func streamClosed(_ id: Int32, code: UInt32) {
    session.forget(stream: id)
    if !plainRequests.isEmpty { plainRequests[id] = nil }
    guard var stream = streams.remove(id) else { return }
    if !stream.isEnded {
      end(stream, status: .cancelled)
      stream.cancel(Fault(.cancelled, "the caller reset the stream (HTTP/2 code \(code))"))
    } else {
      stream.gate?.close(Fault(.cancelled, "the call has ended"))
    }
    release(stream)
    guard spareStreams.count < Self.spareStreamsMax, isKnownUniquelyReferenced(&stream) else { return }
    stream.close()
    spareStreams.append(stream)
  }

  /// Gives back what is kept for the next calls: a connection that is silent needs none of it.
  func trim() {
    spareStreams = []
    session.trim()
  }

  // MARK: Counting

  func countHeld(_ stream: ServerStream, _ change: Int) {
    let change = max(change, -stream.heldCount)
    guard change != 0 else { return }
    stream.heldCount += change
    heldCount += change
    changes.buffer(change, shared.counters)
  }

  func countSending(_ stream: ServerStream, _ change: Int) {
    stream.sendingCount += change
    sendingCount += change
    changes.buffer(change, shared.counters)
    if sendingCount > reader.bytesMax, !reader.isWatching { watchReader() }
  }

  func release(_ stream: ServerStream) {
    countHeld(stream, -stream.heldCount)
    countSending(stream, -stream.sendingCount)
  }
}
