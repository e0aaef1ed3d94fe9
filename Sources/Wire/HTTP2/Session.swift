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
  /// nghttp2 holds an unowned pointer to each of them until its stream closes, so they are kept until then.
  private var bodies: [Int32: OutboundBody] = [:]

  init(side: Side, limits: WireLimits) {
    self.side = side
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
    guard let base = bytes.baseAddress, bytes.count > 0 else { return }
    let taken = nghttp2_session_mem_recv(handle, base.assumingMemoryBound(to: UInt8.self), bytes.count)
    guard taken == bytes.count else {
      throw Broken(message: String(cString: nghttp2_strerror(Int32(truncatingIfNeeded: min(taken, 0)))))
    }
  }

  /// Moves what is to be sent into `buffer`, until it holds `limit` bytes or there is no more.
  func gather(into buffer: inout ByteBuffer, limit: Int) throws(Broken) {
    while buffer.readableBytes < limit {
      var data: UnsafePointer<UInt8>?
      let count = nghttp2_session_mem_send(handle, &data)
      guard count >= 0 else {
        throw Broken(message: String(cString: nghttp2_strerror(Int32(truncatingIfNeeded: count))))
      }
      guard count > 0, let data else { return }
      buffer.writeBytes(UnsafeRawBufferPointer(start: data, count: count))
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

  // MARK: Streams

  /// Answers a request. Without `headers`: the everyday ones. Without `body`: the headers end the stream.
  func respond(stream: Int32, headers: HeaderBlock?, body: OutboundBody?) {
    var provider = nghttp2_data_provider()
    if let body {
      bodies[stream] = body
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

  /// Opens a stream; returns its number, or `nil` when this connection has no more of them.
  func request(headers: HeaderBlock, body: OutboundBody) -> Int32? {
    let provider = dataProvider(body)
    let stream = withUnsafePointer(to: provider) { provider in
      headers.withVectors { nghttp2_submit_request(handle, nil, $0.baseAddress, $0.count, provider, nil) }
    }
    guard stream > 0 else { return nil }
    bodies[stream] = body
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

  /// Forgets what belongs to a stream that closed.
  func forget(stream: Int32) { bodies.removeValue(forKey: stream) }

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

  /// The GOAWAY that names the last stream that was taken; later ones are ignored.
  func shutDown() {
    let last = nghttp2_session_get_last_proc_stream_id(handle)
    nghttp2_submit_goaway(handle, flagNone, last, HTTP2Code.noError, nil, 0)
  }

  /// GOAWAY, and the session is over once it is sent.
  func terminate(code: UInt32) { nghttp2_session_terminate_session(handle, code) }
}

private let flagNone = UInt8(NGHTTP2_FLAG_NONE.rawValue)

private func dataProvider(_ body: OutboundBody) -> nghttp2_data_provider {
  var provider = nghttp2_data_provider()
  provider.source.ptr = Unmanaged.passUnretained(body).toOpaque()
  provider.read_callback = { session, stream, buffer, length, flags, source, context in
    guard let pointer = source?.pointee.ptr, let buffer, let flags, let context else {
      return Int(NGHTTP2_ERR_CALLBACK_FAILURE.rawValue)
    }
    let body = Unmanaged<OutboundBody>.fromOpaque(pointer).takeUnretainedValue()
    let count = body.read(into: UnsafeMutableRawBufferPointer(start: buffer, count: length))
    if body.reportsReads, count > 0 {
      Unmanaged<Inbox>.fromOpaque(context).takeUnretainedValue().events.append(
        .bodyRead(stream: stream, count: count))
    }
    if body.pendingCount == 0 {
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
    return count
  }
  return provider
}

private func submitTrailers(_ session: OpaquePointer?, _ stream: Int32, _ trailers: HeaderBlock?) {
  if let trailers {
    trailers.withVectors { _ = nghttp2_submit_trailer(session, stream, $0.baseAddress, $0.count) }
  } else {
    let vectors = EverydayHeaders.trailers
    nghttp2_submit_trailer(session, stream, vectors.baseAddress, vectors.count)
  }
}

extension HeaderBlock {
  fileprivate func withVectors<Result>(_ body: (UnsafeBufferPointer<nghttp2_nv>) -> Result) -> Result {
    bytes.withUnsafeBufferPointer { bytes in
      // nghttp2 copies names and values; it asks for mutable pointers and doesn't write through them.
      let base = UnsafeMutablePointer(mutating: bytes.baseAddress)
      return withUnsafeTemporaryAllocation(of: nghttp2_nv.self, capacity: fields.count) { vectors in
        for (index, field) in fields.enumerated() {
          vectors.initializeElement(
            at: index,
            to: nghttp2_nv(
              name: base.map { $0 + field.start },
              value: base.map { $0 + field.start + field.nameCount },
              namelen: field.nameCount, valuelen: field.valueCount, flags: flagNone))
        }
        return body(UnsafeBufferPointer(vectors))
      }
    }
  }
}

/// The two header lists of nearly every reply, kept for the life of the process.
private enum EverydayHeaders {
  /// Guard for `nonisolated(unsafe)`: never written after it is made.
  nonisolated(unsafe) static let response = make([
    (":status", "200"), ("content-type", "application/grpc"),
  ])
  nonisolated(unsafe) static let trailers = make([("grpc-status", "0")])

  private static func make(_ fields: [(StaticString, StaticString)]) -> UnsafeBufferPointer<nghttp2_nv> {
    let vectors = UnsafeMutableBufferPointer<nghttp2_nv>.allocate(capacity: fields.count)
    let flags = UInt8(NGHTTP2_NV_FLAG_NO_COPY_NAME.rawValue | NGHTTP2_NV_FLAG_NO_COPY_VALUE.rawValue)
    for (index, (name, value)) in fields.enumerated() {
      vectors.initializeElement(
        at: index,
        to: nghttp2_nv(
          name: UnsafeMutablePointer(mutating: name.utf8Start),
          value: UnsafeMutablePointer(mutating: value.utf8Start),
          namelen: name.utf8CodeUnitCount, valuelen: value.utf8CodeUnitCount, flags: flags))
    }
    return UnsafeBufferPointer(vectors)
  }
}

/// Where the callbacks write; they touch nothing else.
private final class Inbox {
  var events: [SessionEvent] = []
  var bytes: [UInt8] = []
  var spareEvents: [SessionEvent] = []
  var spareBytes: [UInt8] = []
  var block = HeaderBlock()
  var blockListBytes = 0
  let headerListBytesMax: Int

  init(headerListBytesMax: Int) { self.headerListBytesMax = headerListBytesMax }

  static func from(_ context: UnsafeMutableRawPointer?) -> Inbox? {
    context.map { Unmanaged<Inbox>.fromOpaque($0).takeUnretainedValue() }
  }

  func beginBlock() {
    block = HeaderBlock()
    blockListBytes = 0
    events.append(.headersBegan)
  }

  func field(name: UnsafeBufferPointer<UInt8>, value: UnsafeBufferPointer<UInt8>) {
    blockListBytes += name.count + value.count + 32
    if blockListBytes <= headerListBytesMax { block.append(name: name, value: value) }
  }

  func frame(_ frame: UnsafePointer<nghttp2_frame>) {
    let header = frame.pointee.hd
    let endsStream = header.flags & UInt8(NGHTTP2_FLAG_END_STREAM.rawValue) != 0
    switch UInt32(header.type) {
    case NGHTTP2_HEADERS.rawValue:
      if case .headersBegan = events.last { events.removeLast() }
      events.append(
        .headers(
          stream: header.stream_id, block, endsStream: endsStream,
          isTooLarge: blockListBytes > headerListBytesMax))
      block = HeaderBlock()
    case NGHTTP2_DATA.rawValue:
      if endsStream { events.append(.endOfBody(stream: header.stream_id)) }
    case NGHTTP2_SETTINGS.rawValue:
      if header.flags & UInt8(NGHTTP2_FLAG_ACK.rawValue) == 0 { events.append(.settings) }
    case NGHTTP2_PING.rawValue:
      guard header.flags & UInt8(NGHTTP2_FLAG_ACK.rawValue) != 0 else { return }
      let value = withUnsafeBytes(of: frame.pointee.ping.opaque_data) { $0.loadUnaligned(as: UInt64.self) }
      events.append(.pingAcknowledged(UInt64(bigEndian: value)))
    case NGHTTP2_GOAWAY.rawValue:
      events.append(
        .goAway(lastStream: frame.pointee.goaway.last_stream_id, code: frame.pointee.goaway.error_code))
    default: break
    }
  }
}

private func makeSession(_ side: Session.Side, _ inbox: Inbox) -> OpaquePointer? {
  var callbacks: OpaquePointer?
  guard nghttp2_session_callbacks_new(&callbacks) == 0 else { return nil }
  defer { nghttp2_session_callbacks_del(callbacks) }
  setCallbacks(callbacks)
  var options: OpaquePointer?
  guard nghttp2_option_new(&options) == 0 else { return nil }
  defer { nghttp2_option_del(options) }
  nghttp2_option_set_no_auto_window_update(options, 1)
  nghttp2_option_set_no_closed_streams(options, 1)
  let context = Unmanaged.passUnretained(inbox).toOpaque()
  var handle: OpaquePointer?
  let result =
    switch side {
    case .server: nghttp2_session_server_new2(&handle, callbacks, context, options)
    case .client: nghttp2_session_client_new2(&handle, callbacks, context, options)
    }
  return result == 0 ? handle : nil
}

private func setCallbacks(_ callbacks: OpaquePointer?) {
  nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks) { _, _, context in
    Inbox.from(context)?.beginBlock()
    return 0
  }
  nghttp2_session_callbacks_set_on_header_callback(callbacks) {
    _, _, name, nameCount, value, valueCount, _, context in
    Inbox.from(context)?.field(
      name: UnsafeBufferPointer(start: name, count: nameCount),
      value: UnsafeBufferPointer(start: value, count: valueCount))
    return 0
  }
  nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks) { _, frame, context in
    if let frame { Inbox.from(context)?.frame(frame) }
    return 0
  }
  nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks) {
    _, _, stream, data, count, context in
    guard let inbox = Inbox.from(context) else { return 0 }
    inbox.events.append(.data(stream: stream, start: inbox.bytes.count, count: count))
    inbox.bytes.append(contentsOf: UnsafeBufferPointer(start: data, count: count))
    return 0
  }
  nghttp2_session_callbacks_set_on_frame_send_callback(callbacks) { session, frame, context in
    guard let header = frame?.pointee.hd, header.flags & UInt8(NGHTTP2_FLAG_END_STREAM.rawValue) != 0 else {
      return 0
    }
    let type = UInt32(header.type)
    guard type == NGHTTP2_HEADERS.rawValue || type == NGHTTP2_DATA.rawValue else { return 0 }
    if nghttp2_session_get_stream_remote_close(session, header.stream_id) == 0 {
      Inbox.from(context)?.events.append(.endSentEarly(stream: header.stream_id))
    }
    return 0
  }
  nghttp2_session_callbacks_set_on_frame_not_send_callback(callbacks) { _, frame, _, context in
    guard let frame, UInt32(frame.pointee.hd.type) == NGHTTP2_HEADERS.rawValue,
      frame.pointee.headers.cat == NGHTTP2_HCAT_REQUEST
    else { return 0 }
    Inbox.from(context)?.events.append(.notSent(stream: frame.pointee.hd.stream_id))
    return 0
  }
  // A fatal code from this one leaks in nghttp2 1.52: it always returns 0.
  nghttp2_session_callbacks_set_on_stream_close_callback(callbacks) { _, stream, code, context in
    Inbox.from(context)?.events.append(.closed(stream: stream, code: code))
    return 0
  }
}
