package import Base
internal import Synchronization

/// One call, as its handler sees it; from any thread.
package final class ServerCall: Sendable {
  /// When the caller stops waiting.
  package let deadline: Instant?
  private let method: RPCMethod
  private let caller: Caller
  private let headers: HeaderBlock
  private let stream: Int32
  private let link: ServerLink

  private struct State {
    var initialMetadata: Metadata?
    var trailers: Metadata?
    var isAnswered = false
    var wasCompressed = false
    var cancellation: Fault?
    var onCancel: [@Sendable () -> Void] = []
  }
  private let state = Locked(State())

  /// Whether the state ever had metadata to send: beside it, so that most calls are spared two locks.
  private let hasMetadata = Atomic(false)

  private enum ReplyEncoding: UInt8, AtomicRepresentable {
    case undecided, identity, gzip
  }
  /// Beside the state, so that a reply that nobody wants compressed costs no lock.
  private let replyEncoding = Atomic(ReplyEncoding.undecided)

  init(
    method: RPCMethod, deadline: Instant?, caller: Caller, headers: HeaderBlock, stream: Int32,
    link: ServerLink
  ) {
    self.method = method
    self.deadline = deadline
    self.caller = caller
    self.headers = headers
    self.stream = stream
    self.link = link
  }

  package var path: String { method.path }
  package var peer: Peer { caller.peer }

  /// The caller's custom metadata. Decoded at each look, so that calls that don't look pay nothing.
  package var metadata: Metadata { Metadata(decoding: headers) }

  /// Whether the request of a unary call had been sent compressed. Of a streaming call's messages their iterator knows.
  package var requestWasCompressed: Bool { state.withLock { $0.wasCompressed } }

  /// Whether the caller has gone or its deadline has passed: nobody waits for the answer.
  package var isCancelled: Bool { state.withLock { $0.cancellation != nil } }

  /// `body` runs once when the call is cancelled, or at once if it is already; on the event loop, so it must not block.
  package func onCancel(_ body: @escaping @Sendable () -> Void) {
    let isCancelled = state.withLock { state in
      if state.cancellation == nil, !state.isAnswered { state.onCancel.append(body) }
      return state.cancellation != nil
    }
    if isCancelled { body() }
  }

  /// Metadata that goes out before the first message; later it is too late and the metadata is dropped.
  package func setInitialMetadata(_ metadata: Metadata) {
    state.withLock { $0.initialMetadata = metadata }
    hasMetadata.store(true, ordering: .releasing)
  }

  /// One more field of the trailers.
  package func setTrailer(_ name: String, _ value: String) {
    state.withLock {
      var trailers = $0.trailers ?? Metadata()
      trailers.append(name, value)
      $0.trailers = trailers
    }
    hasMetadata.store(true, ordering: .releasing)
  }

  package func setTrailer(_ name: String, bytes: [UInt8]) {
    state.withLock {
      var trailers = $0.trailers ?? Metadata()
      trailers.append(name, bytes: bytes)
      $0.trailers = trailers
    }
    hasMetadata.store(true, ordering: .releasing)
  }

  /// From now on replies go out gzipped, if that makes them smaller. Returns whether they will: not when the caller
  /// doesn't take gzip, and not when a reply is out already, since the response's headers announce it. Whoever sends a
  /// reply compresses it: on an event loop, for large ones, others would wait.
  @discardableResult
  package func compressReplies() -> Bool {
    guard MessageEncoding.isGzipAccepted(headers) else { return false }
    let (wasUndecided, encoding) = replyEncoding.compareExchange(
      expected: .undecided, desired: .gzip, ordering: .relaxed)
    return wasUndecided || encoding == .gzip
  }

  /// Answers a unary call. A call that was cancelled meanwhile takes it silently.
  package func reply(_ message: [UInt8]) {
    answer()
    link.perform(.reply(stream, packed(message, compress: true)))
  }

  /// Ends the call with `fault` as its status. A call that was cancelled meanwhile takes it silently.
  package func fail(_ fault: Fault) {
    answer()
    link.perform(.fail(stream, fault))
  }

  private func answer() {
    let wasAnswered = state.withLock { state in
      defer { state.isAnswered = true }
      state.onCancel = []
      return state.isAnswered
    }
    precondition(!wasAnswered, "\(path) was answered twice")
  }

  // MARK: For the connection

  /// A reply as it travels. The first one decides how those after it may.
  func packed(_ message: [UInt8], compress: Bool) -> WireMessage {
    switch replyEncoding.load(ordering: .relaxed) {
    case .identity: return WireMessage(message)
    case .gzip: return compress ? WireMessage(gzipping: message) : WireMessage(message)
    case .undecided:
      let decided = replyEncoding.compareExchange(
        expected: .undecided, desired: .identity, ordering: .relaxed)
      return decided.exchanged ? WireMessage(message) : packed(message, compress: compress)
    }
  }

  var announcesGzip: Bool { replyEncoding.load(ordering: .relaxed) == .gzip }
  func noteCompressedRequest() { state.withLock { $0.wasCompressed = true } }

  func takeInitialMetadata() -> Metadata? {
    hasMetadata.load(ordering: .acquiring) ? state.withLock { $0.initialMetadata.take() } : nil
  }

  func takeTrailers() -> Metadata? {
    hasMetadata.load(ordering: .acquiring) ? state.withLock { $0.trailers.take() } : nil
  }

  func cancel(_ fault: Fault) {
    let bodies = state.withLock { state -> [@Sendable () -> Void] in
      guard state.cancellation == nil else { return [] }
      state.cancellation = fault
      defer { state.onCancel = [] }
      return state.onCancel
    }
    for body in bodies { body() }
  }
}
