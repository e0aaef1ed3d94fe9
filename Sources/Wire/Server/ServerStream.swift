internal import Base

/// What a connection knows of one open call; lives on its event loop.
final class ServerStream {
  let id: Int32
  let method: RPCMethod
  /// What its handler holds, until a reply is queued: after that it would only hold the request's headers.
  @exclusivity(unchecked) private(set) var call: ServerCall?
  let started: Instant
  @exclusivity(unchecked) var deframer: MessageDeframer
  /// A unary call's one message.
  @exclusivity(unchecked) var message: WireMessage?
  /// A streaming call's messages, writer and task.
  @exclusivity(unchecked) var queue: MessageQueue?
  @exclusivity(unchecked) var gate: SendGate?
  @exclusivity(unchecked) var task: Task<Void, Never>?
  /// Messages in `queue` that its handler has not taken.
  @exclusivity(unchecked) var queuedCount = 0
  /// Received bytes for which the peer's window is still shut.
  @exclusivity(unchecked) var unconsumedCount = 0
  /// Received bytes that we hold.
  @exclusivity(unchecked) var heldCount = 0
  /// Bytes queued for sending that the connection counts.
  @exclusivity(unchecked) var sendingCount = 0
  /// Bytes of the request, and of a streaming reply, that have moved so far.
  @exclusivity(unchecked) var receivedCount = 0
  @exclusivity(unchecked) var sentCount = 0
  @exclusivity(unchecked) var receiving: StallWatch?
  @exclusivity(unchecked) var sending: StallWatch?
  /// `nil` until the response's headers are queued.
  @exclusivity(unchecked) var body: OutboundBody?
  @exclusivity(unchecked) var hasPeerEnded = false
  /// The status is queued: nothing more may be sent.
  @exclusivity(unchecked) var isEnded = false

  init(id: Int32, method: RPCMethod, call: ServerCall, started: Instant, deframer: MessageDeframer) {
    self.id = id
    self.method = method
    self.call = call
    self.started = started
    self.deframer = deframer
  }

  /// The handler has answered.
  func forgetCall() { call = nil }

  /// Nobody waits for the answer any more.
  func cancel(_ fault: Fault) {
    queue?.finish(.failure(fault), drops: true)
    gate?.close(fault)
    call?.cancel(fault)
    task?.cancel()
  }
}
