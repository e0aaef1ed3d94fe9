internal import Base

extension ServerConnection {
  /// Checks a request's headers in the order of the gRPC specification, and opens the call or refuses it.
  func receiveRequest(
    _ id: Int32, _ headers: ReceivedHeaders, _ timeout: CallTimeout, endsStream: Bool, isTooLarge: Bool
  ) {
    if !isTooLarge, let lastHead, lastHead.headers === headers {
      return begin(id, timeout, endsStream: endsStream) { () throws(Fault) in lastHead }
    }
    if isTooLarge {
      let fault = Fault(
        .resourceExhausted,
        "the request's header list is over the limit of \(shared.limits.headerListBytesMax)")
      return refuse(id, fault, httpStatus: "431")
    }
    let block = headers.block
    guard block.isSoundRequest else { return session.reset(stream: id, code: HTTP2Code.protocolError) }
    let fields = RequestFields(block)
    guard let method = fields.method, block.value(method, is: "POST") else {
      return answerPlainly(id, block, status: "405", endsStream: endsStream)
    }
    guard let type = fields.contentType, ContentType.isGRPC(block.value(type)) else {
      return answerPlainly(id, block, status: "415", endsStream: endsStream)
    }
    begin(id, timeout, endsStream: endsStream) { () throws(Fault) in try head(headers, fields) }
  }

  private func begin(
    _ id: Int32, _ timeout: CallTimeout, endsStream: Bool, _ head: () throws(Fault) -> RequestHead
  ) {
    changes.start(shared.counters)
    do throws(Fault) {
      let stream = try open(id, try head(), timeout)
      streams.set(id, stream)
      changes.open(1, shared.counters)
      if let deadline = stream.call?.deadline { watch(deadline: deadline) }
      start(stream, endsStream: endsStream)
    } catch {
      changes.fail(shared.counters)
      refuse(id, error, httpStatus: "200")
    }
  }

  /// What is kept for the requests after it: who the peer is, and what it may call, doesn't change.
  private func head(_ headers: ReceivedHeaders, _ fields: RequestFields) throws(Fault) -> RequestHead {
    let block = headers.block
    let method = try admittedMethod(fields.path.map { block.value($0) } ?? [])
    guard !fields.hasBytes || Metadata.hasReadableBytes(block) else {
      throw Fault(.internalError, "a -bin metadata value is not base64")
    }
    let head = RequestHead(headers: headers, method: method, caller: caller)
    lastHead = head
    return head
  }

  private func open(_ id: Int32, _ head: RequestHead, _ timeout: CallTimeout) throws(Fault) -> ServerStream {
    let deadline: Instant?
    switch timeout {
    case .none: deadline = nil
    case .nanoseconds(let nanoseconds): deadline = heardAt.advanced(byNanoseconds: nanoseconds)
    case .malformed:
      throw Fault(.invalidArgument, "grpc-timeout must be at most 8 digits and one of H M S m u n")
    }
    guard !isFull else {
      throw Fault(.resourceExhausted, "this connection's replies wait to be read; read them first")
    }
    guard head.method.holdsDrain || !isDraining || !drainCause.endsWatchers else { throw drainCause.fault }
    let call = ServerCall(head, deadline: deadline, stream: id, link: link)
    let deframer = MessageDeframer(
      messageBytesMax: shared.limits.messageBytesMax, side: .server, encoding: head.encoding)
    guard let stream = spareStreams.popLast() else {
      return ServerStream(id: id, method: head.method, call: call, started: heardAt, deframer: deframer)
    }
    stream.reopen(id: id, method: head.method, call: call, started: heardAt, deframer: deframer)
    return stream
  }

  private func admittedMethod(_ path: ArraySlice<UInt8>) throws(Fault) -> RPCMethod {
    if let last = lastHead?.method, last.hasPath(path) { return last }
    guard let method = shared.methods[path] else {
      throw Fault(.unimplemented, "there is no method \(String(decoding: path.prefix(256), as: UTF8.self))")
    }
    guard method.admits.admits(peer) else { throw denial(of: method) }
    return method
  }

  private var isFull: Bool { holdsTooMuch(sendingCount) || isReaderTooSlow }

  private func start(_ stream: ServerStream, endsStream: Bool) {
    if case .streaming(let body) = stream.method.handler, let call = stream.call {
      let id = stream.id
      let link = self.link
      let queue = MessageQueue { count in link.perform(.took(id, count)) }
      let gate = SendGate(high: shared.limits.sendQueueBytesMax)
      stream.queue = queue
      stream.gate = gate
      let writer = ResponseWriter(call: call, stream: id, gate: gate, link: link)
      let requests = RequestStream(queue: queue, messageBytesMax: shared.limits.messageBytesMax)
      stream.task = Self.task(call, requests, writer, body)
    }
    if endsStream { transport(didReceive: .endOfBody(stream: stream.id), bytes: []) }
  }

  private static func task(
    _ call: ServerCall, _ requests: RequestStream, _ writer: ResponseWriter,
    _ body: @escaping @Sendable (ServerCall, RequestStream, ResponseWriter) async throws -> Void
  ) -> Task<Void, Never> {
    Task {
      do {
        try await body(call, requests, writer)
        writer.link.perform(.finish(writer.stream))
      } catch {
        writer.link.perform(.fail(writer.stream, fault(for: error)))
      }
    }
  }

  private static func fault(for error: any Error) -> Fault {
    switch error {
    case let fault as Fault: fault
    case let failure as CallFailure: failure.fault
    case is CancellationError: Fault(.cancelled, "the call was cancelled")
    default: Fault(.unknown, "the handler failed with \(type(of: error))")
    }
  }

  /// Answers at once with a status, in headers that are trailers too.
  private func refuse(_ id: Int32, _ fault: Fault, httpStatus: String) {
    var block = HeaderBlock()
    block.append(":status", httpStatus)
    block.append("content-type", "application/grpc")
    StatusMapping.append(fault, to: &block)
    session.respond(stream: id, headers: block, body: nil)
  }
}

extension HeaderBlock {
  static var everydayResponse: HeaderBlock {
    var block = HeaderBlock()
    block.append(":status", "200")
    block.append("content-type", "application/grpc")
    return block
  }
}
