internal import CNGHTTP2

/// Where the callbacks write; they touch nothing else.
///
/// `@exclusivity(unchecked)`: on one event loop, and no access to one of these contains another; the checks took longer
/// than the accesses.
final class Inbox {
  @exclusivity(unchecked) var events: [SessionEvent] = []
  @exclusivity(unchecked) var bytes: [UInt8] = []
  @exclusivity(unchecked) var spareEvents: [SessionEvent] = []
  @exclusivity(unchecked) var spareBytes: [UInt8] = []
  /// Open while ``Session/gather(into:limit:)`` runs.
  @exclusivity(unchecked) var outlet = Outlet()
  @exclusivity(unchecked) private(set) var collector = HeaderCollector()
  @exclusivity(unchecked) private var lastHeaders: ReceivedHeaders?
  let headerListBytesMax: Int
  /// What was sent, and what came of the header blocks, since ``Session`` last asked.
  @exclusivity(unchecked) var work = FrameBudget.Work()
  @exclusivity(unchecked) var deliveredBlocks = 0
  @exclusivity(unchecked) var faultResets = 0
  /// Bytes of all DATA that was sent.
  @exclusivity(unchecked) var dataSentCount = 0
  /// Streams that the peer has opened and that aren't closed.
  @exclusivity(unchecked) var openStreams = 0

  init(headerListBytesMax: Int) { self.headerListBytesMax = headerListBytesMax }

  /// Not by a reference that is retained and released: its session holds it, and there are a dozen callbacks to a call.
  @inline(__always)
  static func at<Result>(
    _ context: UnsafeMutableRawPointer?, else missing: Result, _ body: (Inbox) -> Result
  ) -> Result {
    guard let context else { return missing }
    return Unmanaged<Inbox>.fromOpaque(context)._withUnsafeGuaranteedRef(body)
  }

  /// Gives back the memory of what was taken.
  func trim() {
    events = []
    bytes = []
    spareEvents = []
    spareBytes = []
    collector = HeaderCollector()
    lastHeaders = nil
  }

  func beginBlock(isRequest: Bool) {
    collector.removeAll()
    if isRequest { openStreams += 1 }
  }

  /// False when the list has grown so far over its limit that reading on would only cost: a few bytes can stand for
  /// thousands, again and again.
  @inline(__always)
  func field(name: UnsafeBufferPointer<UInt8>, value: UnsafeBufferPointer<UInt8>) -> Bool {
    collector.add(name: name, value: value, listBytesMax: headerListBytesMax)
    guard collector.listBytes > 4 * headerListBytesMax else { return true }
    collector.giveBack()
    return false
  }

  /// The block that has ended.
  private func headers() -> ReceivedHeaders {
    if let lastHeaders, collector.isEqual(to: lastHeaders.block) { return lastHeaders }
    let headers = ReceivedHeaders(collector.block())
    lastHeaders = collector.isLarge ? nil : headers
    collector.giveBack()
    return headers
  }

  func frame(_ frame: UnsafePointer<nghttp2_frame>) {
    let header = frame.pointee.hd
    let endsStream = header.flags & UInt8(NGHTTP2_FLAG_END_STREAM.rawValue) != 0
    switch UInt32(header.type) {
    case NGHTTP2_HEADERS.rawValue:
      deliveredBlocks += 1
      let isTooLarge = collector.listBytes > headerListBytesMax
      if frame.pointee.headers.cat == NGHTTP2_HCAT_REQUEST {
        events.append(
          .request(
            stream: header.stream_id, headers(), collector.timeout, endsStream: endsStream,
            isTooLarge: isTooLarge))
      } else {
        events.append(
          .headers(stream: header.stream_id, headers(), endsStream: endsStream, isTooLarge: isTooLarge))
      }
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

  func sent(_ frame: UnsafePointer<nghttp2_frame>, _ session: OpaquePointer?) {
    let header = frame.pointee.hd
    switch UInt32(header.type) {
    case NGHTTP2_HEADERS.rawValue: work.headers += 1
    case NGHTTP2_DATA.rawValue:
      work.data += 1
      dataSentCount += header.length
    case NGHTTP2_RST_STREAM.rawValue:
      let code = frame.pointee.rst_stream.error_code
      if code != HTTP2Code.noError, code != HTTP2Code.cancel { faultResets += 1 }
      return
    default: return
    }
    guard header.flags & UInt8(NGHTTP2_FLAG_END_STREAM.rawValue) != 0 else { return }
    work.ends += 1
    if nghttp2_session_get_stream_remote_close(session, header.stream_id) == 0 {
      events.append(.endSentEarly(stream: header.stream_id))
    }
  }
}

func makeSession(_ side: Session.Side, _ inbox: Inbox) -> OpaquePointer? {
  var callbacks: OpaquePointer?
  guard nghttp2_session_callbacks_new(&callbacks) == 0 else { return nil }
  defer { nghttp2_session_callbacks_del(callbacks) }
  setCallbacks(callbacks)
  var options: OpaquePointer?
  guard nghttp2_option_new(&options) == 0 else { return nil }
  defer { nghttp2_option_del(options) }
  nghttp2_option_set_no_auto_window_update(options, 1)
  nghttp2_option_set_no_closed_streams(options, 1)
  nghttp2_option_set_max_outbound_ack(options, 512)
  // `FrameBudget` counts resets, and lets those pass that answer replies; this is behind it.
  nghttp2_option_set_stream_reset_rate_limit(options, 20_000, 2_000)
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
  nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks) { _, frame, context in
    Inbox.at(context, else: ()) {
      $0.beginBlock(isRequest: frame?.pointee.headers.cat == NGHTTP2_HCAT_REQUEST)
    }
    return 0
  }
  nghttp2_session_callbacks_set_on_header_callback(callbacks) {
    session, frame, name, nameCount, value, valueCount, _, context in
    let goesOn = Inbox.at(context, else: true) {
      $0.field(
        name: UnsafeBufferPointer(start: name, count: nameCount),
        value: UnsafeBufferPointer(start: value, count: valueCount))
    }
    return goesOn ? 0 : giveUpStream(session, frame, HTTP2Code.enhanceYourCalm)
  }
  // Without this one, fields that RFC 9113 8.2.1 forbids would be left out silently.
  nghttp2_session_callbacks_set_on_invalid_header_callback(callbacks) { session, frame, _, _, _, _, _, _ in
    giveUpStream(session, frame, HTTP2Code.protocolError)
  }
  nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks) { _, frame, context in
    if let frame { Inbox.at(context, else: ()) { $0.frame(frame) } }
    return 0
  }
  nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks) {
    _, _, stream, data, count, context in
    Inbox.at(context, else: ()) { inbox in
      inbox.events.append(.data(stream: stream, start: inbox.bytes.count, count: count))
      inbox.bytes.append(contentsOf: UnsafeBufferPointer(start: data, count: count))
    }
    return 0
  }
  nghttp2_session_callbacks_set_on_frame_send_callback(callbacks) { session, frame, context in
    if let frame { Inbox.at(context, else: ()) { $0.sent(frame, session) } }
    return 0
  }
  nghttp2_session_callbacks_set_send_data_callback(callbacks) { _, frame, head, count, source, context in
    guard let frame, let head, let body = source?.pointee.ptr, let context else {
      return NGHTTP2_ERR_CALLBACK_FAILURE.rawValue
    }
    return Unmanaged<Inbox>.fromOpaque(context)._withUnsafeGuaranteedRef {
      sendFrame($0, UnsafePointer(frame), head, count, body)
    }
  }
  nghttp2_session_callbacks_set_on_frame_not_send_callback(callbacks) { _, frame, _, context in
    guard let frame, UInt32(frame.pointee.hd.type) == NGHTTP2_HEADERS.rawValue,
      frame.pointee.headers.cat == NGHTTP2_HCAT_REQUEST
    else { return 0 }
    Inbox.at(context, else: ()) { $0.events.append(.notSent(stream: frame.pointee.hd.stream_id)) }
    return 0
  }
  // A fatal code from this one leaks in nghttp2 1.52: it always returns 0.
  nghttp2_session_callbacks_set_on_stream_close_callback(callbacks) { _, stream, code, context in
    Inbox.at(context, else: ()) { inbox in
      inbox.openStreams -= 1
      inbox.events.append(.closed(stream: stream, code: code))
    }
    return 0
  }
}

/// The answer of a callback that wants no more of a stream's header block; the connection goes on.
private func giveUpStream(
  _ session: OpaquePointer?, _ frame: UnsafePointer<nghttp2_frame>?, _ code: UInt32
) -> Int32 {
  guard let frame else { return 0 }
  nghttp2_submit_rst_stream(session, flagNone, frame.pointee.hd.stream_id, code)
  return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE.rawValue
}
