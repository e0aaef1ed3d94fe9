/// Which of a client's streams it may still use, told from its own frames alone (RFC 9113 5.1).
///
/// Bounded: of each list the oldest entries are forgotten, and what is forgotten is let pass, so that a good connection
/// never ends by it.
struct StreamLedger {
  private static let openMax = 512
  private static let gapsMax = 64

  /// Opened by the client, and not ended by it. Streams that we ended stay: it may not know of it yet.
  private var open: [Int32] = []
  /// Numbers that were passed over, and can't be used any more.
  private var gaps: [ClosedRange<Int32>] = []
  private var highest: Int32 = -1
  /// Streams up to here are not judged: we have forgotten some of them.
  private var forgotten: Int32 = 0

  /// What is wrong with a HEADERS or DATA frame, if anything is.
  mutating func begin(_ frame: FrameHead) -> Violation? {
    // Frames without a stream, or on one of ours: nghttp2 refuses them by itself.
    guard frame.stream > 0, frame.stream & 1 == 1 else { return nil }
    if frame.stream > highest {
      guard frame.kind == FrameHead.Kind.headers else { return nil }
      if frame.stream > highest + 2 { add(gap: (highest + 2)...(frame.stream - 2)) }
      highest = frame.stream
      if !frame.has(FrameHead.Flag.endStream) { add(open: frame.stream) }
      return nil
    }
    if let index = open.lastIndex(of: frame.stream) {
      if frame.has(FrameHead.Flag.endStream) { open.remove(at: index) }
      return nil
    }
    if gaps.contains(where: { $0.contains(frame.stream) }) {
      guard frame.kind == FrameHead.Kind.headers else {
        return Violation(HTTP2Code.streamClosed, "DATA on a stream that was never opened")
      }
      return Violation(HTTP2Code.protocolError, "a new stream with a number lower than the last one's")
    }
    guard frame.stream > forgotten else { return nil }
    return Violation(HTTP2Code.streamClosed, "a frame on a stream that the client has ended")
  }

  /// The client gave a stream up by RST_STREAM.
  mutating func reset(_ stream: Int32) {
    if let index = open.lastIndex(of: stream) { open.remove(at: index) }
  }

  private mutating func add(open stream: Int32) {
    if open.count == Self.openMax { forgotten = max(forgotten, open.removeFirst()) }
    open.append(stream)
  }

  private mutating func add(gap: ClosedRange<Int32>) {
    if gaps.count == Self.gapsMax { forgotten = max(forgotten, gaps.removeFirst().upperBound) }
    gaps.append(gap)
  }
}
