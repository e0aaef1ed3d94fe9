package import Base
internal import NIOCore
internal import NIOPosix

/// How a client watches over a connection that says nothing.
package struct Keepalive: Sendable, Equatable {
  /// Silence, while calls are open, after which a PING is sent.
  package var intervalMilliseconds: UInt64
  /// How long its answer may take before the connection counts as dead.
  package var timeoutMilliseconds: UInt64

  package init(intervalMilliseconds: UInt64, timeoutMilliseconds: UInt64) {
    self.intervalMilliseconds = intervalMilliseconds
    self.timeoutMilliseconds = timeoutMilliseconds
  }
}

/// A connection to one server, made when the first call asks for it and made again when it was lost.
///
/// Calls beyond the server's concurrent streams wait in a bounded queue. While a lost connection's backoff runs, calls
/// fail at once as `unavailable` and safe to retry.
package final class ClientConnection: Sendable {
  package let host: String
  package let port: Int
  private let limits: WireLimits
  private let time: any TimeSource
  private let link: ClientLink

  /// Throws a `Fault` when the files of `tls` can't be used. Without `tls` it speaks plain text.
  package init(
    host: String, port: Int, tls: TLSConfiguration?, limits: WireLimits = WireLimits(), time: any TimeSource,
    loops: WireLoops, keepalive: Keepalive? = nil
  ) throws(Fault) {
    self.host = host
    self.port = port
    self.limits = limits
    self.time = time
    var source: TLSSource?
    if let tls { source = try TLSSource(tls, side: .client, time: time, limits: limits) }
    let eventLoop = loops.group.next()
    let target = ClientTarget(
      host: host, port: port, tls: source, limits: limits, keepalive: keepalive, time: time)
    link = ClientLink(eventLoop: eventLoop) { ClientCore(target: target, eventLoop: eventLoop) }
  }

  deinit { link.perform(.close {}) }

  /// One message there and one back. Cancelling the task cancels the call.
  ///
  /// With `compresses` the request is gzipped, if that makes it smaller: the server must know gzip.
  package func unary(
    _ path: String, _ request: [UInt8], deadline: Instant? = nil, metadata: Metadata = Metadata(),
    compresses: Bool = false
  ) async throws(CallFailure) -> UnaryReply {
    let link = link
    let outcome = OnceOutcome()
    let stream = ClientStream(
      path: path, metadata: metadata, deadline: deadline, messageBytesMax: limits.messageBytesMax,
      compresses: compresses, shape: .unary(request: Self.packed(request, compresses)) { outcome.set($0) })
    let result = await withTaskCancellationHandler {
      link.perform(.start(stream))
      return await outcome.wait()
    } onCancel: {
      link.perform(.cancel(stream))
    }
    return try result.get()
  }

  /// The same without a task: `done` is called once, on the event loop, and must not block.
  package func unary(
    _ path: String, _ request: [UInt8], deadline: Instant? = nil, metadata: Metadata = Metadata(),
    compresses: Bool = false, done: @escaping @Sendable (Result<UnaryReply, CallFailure>) -> Void
  ) {
    let stream = ClientStream(
      path: path, metadata: metadata, deadline: deadline, messageBytesMax: limits.messageBytesMax,
      compresses: compresses, shape: .unary(request: Self.packed(request, compresses), done: done))
    link.perform(.start(stream))
  }

  private static func packed(_ request: [UInt8], _ compresses: Bool) -> WireMessage {
    compresses ? WireMessage(gzipping: request) : WireMessage(request)
  }

  /// Opens a streaming call of any shape; returns once it has a stream.
  ///
  /// With `compresses` its messages are gzipped, if that makes them smaller: the server must know gzip.
  package func open(
    _ path: String, deadline: Instant? = nil, metadata: Metadata = Metadata(), compresses: Bool = false
  ) async throws(CallFailure) -> ClientCall {
    let link = link
    let slot = StreamSlot()
    let ends = StreamingEnds(
      queue: MessageQueue { count in if let stream = slot.stream { link.perform(.took(stream, count)) } },
      gate: SendGate(high: limits.sendQueueBytesMax))
    let stream = ClientStream(
      path: path, metadata: metadata, deadline: deadline, messageBytesMax: limits.messageBytesMax,
      compresses: compresses, shape: .streaming(ends))
    slot.set(stream)
    let call = ClientCall(stream: stream, ends: ends, link: link)
    let opened = await withTaskCancellationHandler {
      link.perform(.start(stream))
      return await ends.waitUntilOpen()
    } onCancel: {
      link.perform(.cancel(stream))
    }
    try opened.get()
    return call
  }

  /// Cancels open calls and closes.
  package func close() async {
    await withCheckedContinuation { continuation in link.perform(.close { continuation.resume() }) }
  }
}
