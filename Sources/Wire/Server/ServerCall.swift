package import Base
internal import Synchronization

/// One call, as its handler sees it; from any thread.
package final class ServerCall: Sendable {
  package let path: String
  /// When the caller stops waiting.
  package let deadline: Instant?
  package let peer: Peer
  private let headers: HeaderBlock
  private let stream: Int32
  private let link: ServerLink

  private struct State {
    var initialMetadata: Metadata?
    var trailers: Metadata?
    var isAnswered = false
    var cancellation: Fault?
    var onCancel: [@Sendable () -> Void] = []
  }
  private let state = Mutex(State())

  init(
    path: String, deadline: Instant?, peer: Peer, headers: HeaderBlock, stream: Int32, link: ServerLink
  ) {
    self.path = path
    self.deadline = deadline
    self.peer = peer
    self.headers = headers
    self.stream = stream
    self.link = link
  }

  /// The caller's custom metadata. Decoded at each look, so that calls that don't look pay nothing.
  package var metadata: Metadata { Metadata(decoding: headers) }

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
  package func setInitialMetadata(_ metadata: Metadata) { state.withLock { $0.initialMetadata = metadata } }

  /// One more field of the trailers.
  package func setTrailer(_ name: String, _ value: String) {
    state.withLock {
      var trailers = $0.trailers ?? Metadata()
      trailers.append(name, value)
      $0.trailers = trailers
    }
  }

  package func setTrailer(_ name: String, bytes: [UInt8]) {
    state.withLock {
      var trailers = $0.trailers ?? Metadata()
      trailers.append(name, bytes: bytes)
      $0.trailers = trailers
    }
  }

  /// Answers a unary call. A call that was cancelled meanwhile takes it silently.
  package func reply(_ message: [UInt8]) {
    answer()
    link.perform(.reply(stream, message))
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

  func takeInitialMetadata() -> Metadata? { state.withLock { $0.initialMetadata.take() } }
  func takeTrailers() -> Metadata? { state.withLock { $0.trailers.take() } }

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
