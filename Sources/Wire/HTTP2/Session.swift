internal import Base
internal import CNGHTTP2
internal import NIOCore

/// Owns one nghttp2 session; lives on its event loop.
///
/// Its callbacks call nothing of ours: they append to an inbox, which the caller drains after `receive` and after
/// `gather` have returned.
final class Session {
  enum Side { case server, client }

  /// The session can't go on: what is queued may still be sent, then the connection is closed.
  struct Broken: Error {
    var message: String
  }

  private let handle: OpaquePointer
  private let inbox: Inbox
  private let side: Side
  /// `nil` judges nothing: for sessions that talk to a peer of ours in tests.
  @exclusivity(unchecked) private var watch: PeerWatch?
  /// Bytes that left for the channel.
  @exclusivity(unchecked) private(set) var gatheredCount = 0
  /// Bytes of DATA among them.
  var dataSentCount: Int { inbox.dataSentCount }
  /// nghttp2 holds an unowned pointer to each of them until its stream closes, so they are kept until then; but for those
  /// that are kept elsewhere.
  @exclusivity(unchecked) private var bodies = StreamTable<OutboundBody>()
  @exclusivity(unchecked) private var plainBodies: [Int32: PlainBody] = [:]

  init(side: Side, limits: WireLimits, time: (any TimeSource)? = nil) {
    self.side = side
    watch = time.map { PeerWatch(side: side, limits: limits, time: $0) }
    inbox = Inbox(headerListBytesMax: limits.headerListBytesMax)
    guard let handle = makeSession(side, inbox) else { preconditionFailure("out of memory") }
    self.handle = handle
    submitSettings(limits)
  }

  deinit { nghttp2_session_del(handle) }

  private func submitSettings(_ limits: WireLimits) {
    var settings = [
      nghttp2_settings_entry(
        settings_id: Int32(NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE.rawValue),
        value: UInt32(clamping: limits.streamWindowBytes)),
      nghttp2_settings_entry(
        settings_id: Int32(NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE.rawValue),
        value: UInt32(clamping: limits.headerListBytesMax)),
    ]
    switch side {
    case .server:
      settings.append(
        nghttp2_settings_entry(
          settings_id: Int32(NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS.rawValue),
          value: UInt32(clamping: limits.concurrentStreamsMax)))
    case .client:
      settings.append(
        nghttp2_settings_entry(settings_id: Int32(NGHTTP2_SETTINGS_ENABLE_PUSH.rawValue), value: 0))
    }
    nghttp2_submit_settings(handle, flagNone, settings, settings.count)
    nghttp2_session_set_local_window_size(
      handle, flagNone, 0, Int32(clamping: max(limits.connectionWindowBytes, 65_535)))
  }

  // MARK: In and out

  /// Takes bytes from the peer. What they meant is in the inbox afterwards, also when this throws.
  func receive(_ bytes: UnsafeRawBufferPointer) throws(Broken) {
    guard watch != nil else { return try feed(bytes[...]) }
    watch?.credit(inbox.work, callsOpen: inbox.openStreams)
    inbox.work = FrameBudget.Work()
    var fed = 0
    var offset = 0
    while let frame = watch?.next(bytes, &offset) {
      let start = max(fed, offset - FrameScanner.headCount)
      if watch?.wantsReading == true {
        try feed(bytes[fed..<start])
        fed = start
        try settle()
      }
      if let violation = watch?.judge(frame) {
        // What came before it counts, and may itself have ended the connection.
        try feed(bytes[fed..<start])
        throw end(violation)
      }
    }
    try feed(bytes[fed...])
    try settle()
    if watch?.notePartial() == true { inbox.events.append(.partBegan) }
  }

  private func feed(_ bytes: Slice<UnsafeRawBufferPointer>) throws(Broken) {
    let bytes = UnsafeRawBufferPointer(rebasing: bytes)
    guard let base = bytes.baseAddress, bytes.count > 0 else { return }
    let taken = nghttp2_session_mem_recv(handle, base.assumingMemoryBound(to: UInt8.self), bytes.count)
    guard taken != bytes.count else { return }
    let error = Int32(truncatingIfNeeded: min(taken, 0))
    let text = String(cString: nghttp2_strerror(error))
    // nghttp2 itself stops without a word to the peer.
    switch error {
    case NGHTTP2_ERR_FLOODED.rawValue, NGHTTP2_ERR_TOO_MANY_CONTINUATIONS.rawValue:
      throw end(Violation(HTTP2Code.enhanceYourCalm, text))
    default: throw Broken(message: text)
    }
  }

  private func settle() throws(Broken) {
    let violation = watch?.settle(
      deliveredBlocks: inbox.deliveredBlocks, faultResets: inbox.faultResets, callsOpen: inbox.openStreams)
    inbox.deliveredBlocks = 0
    inbox.faultResets = 0
    if let violation { throw end(violation) }
  }

  /// Queues the GOAWAY that says why, unless the session has ended already for another reason.
  private func end(_ violation: Violation) -> Broken {
    if nghttp2_session_want_read(handle) != 0 { goAway(violation) }
    return Broken(message: violation.text)
  }

  /// When the frame or header block began that the peer has not finished; else far in the future.
  var partialSince: Instant { watch?.partialSince ?? .distantFuture }

  /// Moves what is to be sent into `buffer`, until it holds about `limit` bytes or there is no more.
  func gather(into buffer: inout ByteBuffer, limit: Int) throws(Broken) {
    let before = buffer.readableBytes
    inbox.outlet.open(&buffer, limit: limit)
    defer {
      inbox.outlet.close(&buffer)
      gatheredCount += buffer.readableBytes - before
    }
    while inbox.outlet.hasRoom {
      var data: UnsafePointer<UInt8>?
      let count = nghttp2_session_mem_send(handle, &data)
      guard count >= 0 else {
        throw Broken(message: String(cString: nghttp2_strerror(Int32(truncatingIfNeeded: count))))
      }
      // Nothing is left, or a DATA frame that no longer fits.
      guard count > 0, let data else { return }
      inbox.outlet.write(UnsafeRawBufferPointer(start: data, count: count))
    }
  }

  var wantsWrite: Bool { nghttp2_session_want_write(handle) != 0 }
  var isOver: Bool { nghttp2_session_want_read(handle) == 0 && nghttp2_session_want_write(handle) == 0 }

  /// Hands out what the callbacks wrote down, with the bytes that data events point into. Give the arrays back with
  /// ``recycle(_:_:)``, so that they are allocated once.
  func takeEvents() -> (events: [SessionEvent], bytes: [UInt8])? {
    guard !inbox.events.isEmpty else { return nil }
    let taken = (inbox.events, inbox.bytes)
    inbox.events = inbox.spareEvents
    inbox.bytes = inbox.spareBytes
    inbox.spareEvents = []
    inbox.spareBytes = []
    return taken
  }

  func recycle(_ events: consuming [SessionEvent], _ bytes: consuming [UInt8]) {
    guard events.capacity <= 4096, bytes.capacity <= 256 << 10 else { return }
    events.removeAll(keepingCapacity: true)
    bytes.removeAll(keepingCapacity: true)
    inbox.spareEvents = events
    inbox.spareBytes = bytes
  }

  /// Gives back what is kept for the next bytes: a connection that is silent needs none of it.
  func trim() {
    guard inbox.events.isEmpty else { return }
    inbox.trim()
  }

  // MARK: Streams

  /// Answers a request. Without `headers`: the everyday ones. Without `body`: the headers end the stream. A body that
  /// `isKept` is held by the caller until the stream has closed, or the session is gone.
  func respond(stream: Int32, headers: HeaderBlock?, body: OutboundBody?, isKept: Bool = false) {
    var provider = nghttp2_data_provider()
    if let body {
      if !isKept { bodies.set(stream, body) }
      provider = dataProvider(body)
    }
    withUnsafePointer(to: provider) { provider in
      let source = body == nil ? nil : provider
      if let headers {
        headers.withVectors { _ = nghttp2_submit_response(handle, stream, $0.baseAddress, $0.count, source) }
      } else {
        let vectors = EverydayHeaders.response
        nghttp2_submit_response(handle, stream, vectors.baseAddress, vectors.count, source)
      }
    }
  }

  /// Answers a request with plain text, or with headers alone.
  func respond(stream: Int32, headers: HeaderBlock, text: String?) {
    guard let text else { return respond(stream: stream, headers: headers, body: nil) }
    let body = PlainBody(Array(text.utf8))
    plainBodies[stream] = body
    let provider = body.provider
    withUnsafePointer(to: provider) { provider in
      headers.withVectors { _ = nghttp2_submit_response(handle, stream, $0.baseAddress, $0.count, provider) }
    }
  }

  /// Opens a stream; returns its number, or `nil` when this connection has no more of them.
  func request(headers: HeaderBlock, body: OutboundBody) -> Int32? {
    let provider = dataProvider(body)
    let stream = withUnsafePointer(to: provider) { provider in
      headers.withVectors { nghttp2_submit_request(handle, nil, $0.baseAddress, $0.count, provider, nil) }
    }
    guard stream > 0 else { return nil }
    bodies.set(stream, body)
    return stream
  }

  /// Says that `body` of this stream has more, or has ended.
  func resume(stream: Int32, _ body: OutboundBody) {
    guard body.isDeferred else { return }
    body.isDeferred = false
    nghttp2_session_resume_data(handle, stream)
  }

  func reset(stream: Int32, code: UInt32) {
    nghttp2_submit_rst_stream(handle, flagNone, stream, code)
  }

  /// Whether the stream's headers have left or come, and it isn't closed yet.
  func isOpen(stream: Int32) -> Bool { nghttp2_session_get_stream_local_close(handle, stream) >= 0 }

  /// Forgets what belongs to a stream that closed.
  func forget(stream: Int32) {
    if !bodies.isEmpty { bodies.remove(stream) }
    if !plainBodies.isEmpty { plainBodies.removeValue(forKey: stream) }
  }

  /// Opens the peer's window again, for the connection.
  func consumeConnection(_ count: Int) { nghttp2_session_consume_connection(handle, count) }
  /// Opens the peer's window again, for one stream.
  func consumeStream(_ stream: Int32, _ count: Int) { nghttp2_session_consume_stream(handle, stream, count) }

  // MARK: The connection

  var peerConcurrentStreamsMax: Int {
    Int(nghttp2_session_get_remote_settings(handle, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS))
  }

  func ping(_ value: UInt64) {
    withUnsafeBytes(of: value.bigEndian) {
      _ = nghttp2_submit_ping(handle, flagNone, $0.baseAddress?.assumingMemoryBound(to: UInt8.self))
    }
  }

  /// The first GOAWAY of a drain: no stream is refused yet.
  func announceShutdown() { nghttp2_submit_shutdown_notice(handle) }

  private func goAway(_ violation: Violation) {
    let last = nghttp2_session_get_last_proc_stream_id(handle)
    let text = Array(violation.text.utf8)
    nghttp2_submit_goaway(handle, flagNone, last, violation.code, text, text.count)
  }

  /// The GOAWAY that names the last stream that was taken; later ones are ignored.
  func shutDown(debug: StaticString = "") {
    watch?.isLeaving = true
    nghttp2_submit_goaway(
      handle, flagNone, lastTakenStream, HTTP2Code.noError, debug.utf8Start, debug.utf8CodeUnitCount)
  }

  /// The newest stream of the peer's that was taken.
  var lastTakenStream: Int32 { nghttp2_session_get_last_proc_stream_id(handle) }

  /// GOAWAY, and the session is over once it is sent.
  func terminate(code: UInt32) { nghttp2_session_terminate_session(handle, code) }
}

let flagNone = UInt8(NGHTTP2_FLAG_NONE.rawValue)

/// Says how much of `body` the next DATA frame carries; ``sendFrame(_:_:_:_:_:)`` moves it.
private func dataProvider(_ body: OutboundBody) -> nghttp2_data_provider {
  var provider = nghttp2_data_provider()
  provider.source.ptr = Unmanaged.passUnretained(body).toOpaque()
  provider.read_callback = { session, stream, _, length, flags, source, _ in
    guard let pointer = source?.pointee.ptr, let flags else {
      return Int(NGHTTP2_ERR_CALLBACK_FAILURE.rawValue)
    }
    return Unmanaged<OutboundBody>.fromOpaque(pointer)._withUnsafeGuaranteedRef { body in
      let count = min(length, body.pendingCount)
      if count == body.pendingCount {
        if body.isFinished {
          flags.pointee |= NGHTTP2_DATA_FLAG_EOF.rawValue
          if body.hasTrailers {
            flags.pointee |= NGHTTP2_DATA_FLAG_NO_END_STREAM.rawValue
            submitTrailers(session, stream, body.trailers)
          }
        } else if count == 0 {
          body.isDeferred = true
          return Int(NGHTTP2_ERR_DEFERRED.rawValue)
        }
      }
      if count > 0 { flags.pointee |= NGHTTP2_DATA_FLAG_NO_COPY.rawValue }
      return count
    }
  }
  return provider
}

/// Puts a whole DATA frame, `head` and `count` bytes of its body, where the other frames are gathered: straight from
/// the message, where nghttp2's own buffer would be a second copy.
func sendFrame(
  _ inbox: Inbox, _ frame: UnsafePointer<nghttp2_frame>, _ head: UnsafePointer<UInt8>, _ count: Int,
  _ body: UnsafeMutableRawPointer
) -> Int32 {
  Unmanaged<OutboundBody>.fromOpaque(body)._withUnsafeGuaranteedRef { body in
    // Its messages were given up after the frame had been announced: the stream can only be reset.
    guard body.pendingCount >= count else { return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE.rawValue }
    guard inbox.outlet.write(frameHead: head, contentCount: count, { body.read(into: $0) }) else {
      return NGHTTP2_ERR_WOULDBLOCK.rawValue
    }
    if body.reportsReads { inbox.events.append(.bodyRead(stream: frame.pointee.hd.stream_id, count: count)) }
    return 0
  }
}

private func submitTrailers(_ session: OpaquePointer?, _ stream: Int32, _ trailers: HeaderBlock?) {
  if let trailers {
    trailers.withVectors { _ = nghttp2_submit_trailer(session, stream, $0.baseAddress, $0.count) }
  } else {
    let vectors = EverydayHeaders.trailers
    nghttp2_submit_trailer(session, stream, vectors.baseAddress, vectors.count)
  }
}
