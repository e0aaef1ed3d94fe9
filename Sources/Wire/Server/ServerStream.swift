internal import Base

/// What a connection knows of one open call; lives on its event loop. Used again for the connection's later calls.
final class ServerStream {
  @exclusivity(unchecked) private(set) var id: Int32
  @exclusivity(unchecked) private(set) var method: RPCMethod
  /// What its handler holds, until a reply is queued: after that it would only hold the request's headers.
  @exclusivity(unchecked) private(set) var call: ServerCall?
  @exclusivity(unchecked) private(set) var started: Instant
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
  /// The reply, from when the response's headers are queued.
  var body: OutboundBody? { isAnswering ? outbound : nil }
  private let outbound = OutboundBody(hasTrailers: true, reportsReads: false)
  @exclusivity(unchecked) private var isAnswering = false
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

  /// As new, for another call.
  func reopen(id: Int32, method: RPCMethod, call: ServerCall, started: Instant, deframer: MessageDeframer) {
    self.id = id
    self.method = method
    self.call = call
    self.started = started
    self.deframer = deframer
    hasPeerEnded = false
    isEnded = false
    isAnswering = false
  }

  /// Gives back what its call had, once the stream is closed; what it was counted with is counted off before.
  func close() {
    call = nil
    message = nil
    deframer.discard()
    queue = nil
    gate = nil
    task = nil
    queuedCount = 0
    unconsumedCount = 0
    heldCount = 0
    sendingCount = 0
    receivedCount = 0
    sentCount = 0
    receiving = nil
    sending = nil
    outbound.discard()
  }

  /// The response's headers are queued next.
  func beginAnswer(reportsReads: Bool) -> OutboundBody {
    outbound.reopen(reportsReads: reportsReads)
    isAnswering = true
    return outbound
  }

  /// Whether neither side has anything to say beside its messages: no metadata to send, no encoding to name.
  var saysOnlyTheUsual: Bool { deframer.encoding.isIdentity && call?.saysOnlyTheUsual ?? false }

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
