package import Base
internal import Synchronization

/// One call, as its handler sees it; from any thread.
///
/// What is seldom needed (metadata to send, what to do when it is cancelled) is kept by its link, so that most calls are
/// two words and a byte of state.
package final class ServerCall: Sendable {
  /// When the caller stops waiting.
  package let deadline: Instant?
  private let head: RequestHead
  private let stream: Int32
  private let link: ServerLink

  private enum Mark {
    static let answered: UInt8 = 1
    static let cancelled: UInt8 = 2
    /// The link has something of this call's.
    static let extras: UInt8 = 4
    static let requestWasCompressed: UInt8 = 8
  }
  private let marks = Atomic<UInt8>(0)

  private enum ReplyEncoding: UInt8, AtomicRepresentable {
    case undecided, identity, gzip
  }
  private let replyEncoding = Atomic(ReplyEncoding.undecided)

  init(_ head: RequestHead, deadline: Instant?, stream: Int32, link: ServerLink) {
    self.head = head
    self.deadline = deadline
    self.stream = stream
    self.link = link
  }

  deinit { if has(Mark.extras) { link.dropExtras(stream) } }

  package var path: String { head.method.path }
  package var peer: Peer { head.caller.peer }

  /// The caller's custom metadata. Decoded at each look, so that calls that don't look pay nothing.
  package var metadata: Metadata { Metadata(decoding: head.headers.block) }

  /// Whether the request of a unary call had been sent compressed. Of a streaming call's messages their iterator knows.
  package var requestWasCompressed: Bool { has(Mark.requestWasCompressed) }

  /// Whether the caller has gone or its deadline has passed: nobody waits for the answer.
  package var isCancelled: Bool { has(Mark.cancelled) }

  /// `body` runs once when the call is cancelled, or at once if it is already; on the event loop, so it must not block.
  package func onCancel(_ body: @escaping @Sendable () -> Void) {
    // Answered and then cancelled: then it is too late for `body`, and too early before.
    if !has(Mark.answered) || has(Mark.cancelled) { changeExtras { $0.onCancel.append(body) } }
    if has(Mark.cancelled) { runOnCancel() }
  }

  /// Metadata that goes out before the first message; later it is too late and the metadata is dropped.
  package func setInitialMetadata(_ metadata: Metadata) { changeExtras { $0.initialMetadata = metadata } }

  /// One more field of the trailers.
  package func setTrailer(_ name: String, _ value: String) {
    changeExtras { $0.trailers.append(name, value) }
  }

  package func setTrailer(_ name: String, bytes: [UInt8]) {
    changeExtras { $0.trailers.append(name, bytes: bytes) }
  }

  /// From now on replies go out gzipped, if that makes them smaller. Returns whether they will: not when the caller
  /// doesn't take gzip, and not when a reply is out already, since the response's headers announce it. Whoever sends a
  /// reply compresses it: on an event loop, for large ones, others would wait.
  @discardableResult
  package func compressReplies() -> Bool {
    guard MessageEncoding.isGzipAccepted(head.headers.block) else { return false }
    let (wasUndecided, encoding) = replyEncoding.compareExchange(
      expected: .undecided, desired: .gzip, ordering: .relaxed)
    return wasUndecided || encoding == .gzip
  }

  /// Answers a unary call. A call that was cancelled meanwhile takes it silently.
  package func reply(_ message: [UInt8]) {
    answer()
    link.perform(.reply(stream, packed(message, compress: true)))
  }

  /// Answers a unary call with what `write` puts into room for `byteCountMax` bytes; it answers how many those were.
  package func reply(byteCountMax: Int, _ write: (UnsafeMutableBufferPointer<UInt8>) -> Int) {
    let message = WireMessage(byteCountMax: byteCountMax, write)
    guard replyEncoding.load(ordering: .relaxed) != .gzip else { return reply(message.bytes) }
    answer()
    decideEncoding()
    link.perform(.reply(stream, message))
  }

  /// Ends the call with `fault` as its status. A call that was cancelled meanwhile takes it silently.
  package func fail(_ fault: Fault) {
    answer()
    link.perform(.fail(stream, fault))
  }

  private func answer() {
    let before = mark(Mark.answered)
    precondition(before & Mark.answered == 0, "\(path) was answered twice")
    if before & Mark.extras != 0 { link.changeExtras(stream) { $0.onCancel = [] } }
  }

  // MARK: For the connection

  /// A reply as it travels. The first one decides how those after it may.
  func packed(_ message: [UInt8], compress: Bool) -> WireMessage {
    decideEncoding() == .gzip && compress ? WireMessage(gzipping: message) : WireMessage(message)
  }

  /// Replies are plain unless it was said before the first of them that they aren't.
  @discardableResult
  private func decideEncoding() -> ReplyEncoding {
    let decided = replyEncoding.load(ordering: .relaxed)
    guard decided == .undecided else { return decided }
    let (isIdentity, other) = replyEncoding.compareExchange(
      expected: .undecided, desired: .identity, ordering: .relaxed)
    return isIdentity ? .identity : other
  }

  @inline(__always)
  var saysOnlyTheUsual: Bool { !has(Mark.extras) && !announcesGzip }

  var announcesGzip: Bool { replyEncoding.load(ordering: .relaxed) == .gzip }
  func noteCompressedRequest() { mark(Mark.requestWasCompressed) }

  func takeInitialMetadata() -> Metadata? {
    guard has(Mark.extras) else { return nil }
    return link.changeExtras(stream) { $0.initialMetadata.take() }
  }

  func takeTrailers() -> Metadata? {
    guard has(Mark.extras) else { return nil }
    let trailers = link.changeExtras(stream) { extras in
      defer { extras.trailers = Metadata() }
      return extras.trailers
    }
    return trailers.isEmpty ? nil : trailers
  }

  func cancel(_ fault: Fault) {
    let before = mark(Mark.cancelled)
    // Whoever adds something later looks again after that.
    if before & Mark.extras != 0 { runOnCancel() }
  }

  private func runOnCancel() {
    let bodies = link.changeExtras(stream) { extras in
      defer { extras.onCancel = [] }
      return extras.onCancel
    }
    for body in bodies { body() }
  }

  // MARK: Marks

  private func has(_ mark: UInt8) -> Bool { marks.load(ordering: .acquiring) & mark != 0 }

  @discardableResult
  private func mark(_ mark: UInt8) -> UInt8 {
    marks.bitwiseOr(mark, ordering: .acquiringAndReleasing).oldValue
  }

  private func changeExtras(_ body: (inout CallExtras) -> Void) {
    mark(Mark.extras)
    link.changeExtras(stream, body)
  }
}

/// What few calls have.
struct CallExtras {
  var initialMetadata: Metadata?
  var trailers = Metadata()
  var onCancel: [@Sendable () -> Void] = []
}
