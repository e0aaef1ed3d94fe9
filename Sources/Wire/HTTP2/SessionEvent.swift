/// What happened in an HTTP/2 session, as values: written down by its callbacks, handled after they returned.
enum SessionEvent {
  /// A whole header block that opens a stream of the peer's. `isTooLarge`: fields are missing, because the list went
  /// over the limit.
  case request(stream: Int32, ReceivedHeaders, CallTimeout, endsStream: Bool, isTooLarge: Bool)
  /// Any other header block: a response's, or trailers.
  case headers(stream: Int32, ReceivedHeaders, endsStream: Bool, isTooLarge: Bool)
  /// A frame or a header block began, and its end is not here yet; see ``Session/partialSince``.
  case partBegan
  /// Body bytes, at a place in the inbox's bytes.
  case data(stream: Int32, start: Int, count: Int)
  /// The peer's END_STREAM on a DATA frame.
  case endOfBody(stream: Int32)
  /// Our END_STREAM left while the peer's side is still open.
  case endSentEarly(stream: Int32)
  /// Bytes of our body that left the send queue.
  case bodyRead(stream: Int32, count: Int)
  /// A request that HTTP/2 didn't send, because the peer has said GOAWAY; its end as a stream follows.
  case notSent(stream: Int32)
  /// The stream is gone, with the error code of RFC 9113 7 (0 is none).
  case closed(stream: Int32, code: UInt32)
  case settings
  case pingAcknowledged(UInt64)
  case goAway(lastStream: Int32, code: UInt32)

  /// Whether this shows that the peer is there: what we send, or give up ourselves, doesn't.
  var isFromPeer: Bool {
    switch self {
    case .endSentEarly, .bodyRead, .notSent, .closed: false
    default: true
    }
  }
}

/// Error codes of RFC 9113 7 that we send or map.
enum HTTP2Code {
  static let noError: UInt32 = 0
  static let protocolError: UInt32 = 1
  static let internalError: UInt32 = 2
  static let flowControlError: UInt32 = 3
  static let settingsTimeout: UInt32 = 4
  static let streamClosed: UInt32 = 5
  static let frameSizeError: UInt32 = 6
  static let refusedStream: UInt32 = 7
  static let cancel: UInt32 = 8
  static let compressionError: UInt32 = 9
  static let enhanceYourCalm: UInt32 = 11
  static let inadequateSecurity: UInt32 = 12
}
