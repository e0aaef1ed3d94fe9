internal import Base
internal import Synchronization

extension ServerConnection {
  /// Checks a request's headers in the order of the gRPC specification, and opens the call or refuses it.
  func receiveRequest(_ id: Int32, _ block: HeaderBlock, endsStream: Bool, isTooLarge: Bool) {
    if isTooLarge {
      let fault = Fault(
        .resourceExhausted,
        "the request's header list is over the limit of \(shared.limits.headerListBytesMax)")
      return refuse(id, fault, httpStatus: "431")
    }
    let head = RequestHead(block)
    guard let method = head.method, block.value(method, is: "POST") else {
      return answerPlainly(id, block, status: "405", endsStream: endsStream)
    }
    guard let type = head.contentType, ContentType.isGRPC(block.value(type)) else {
      return answerPlainly(id, block, status: "415", endsStream: endsStream)
    }
    do throws(Fault) {
      let stream = try open(id, block, head)
      streams.set(id, stream)
      shared.counters.started.add(1, ordering: .relaxed)
      shared.counters.open.add(1, ordering: .relaxed)
      if let deadline = stream.call?.deadline { watch(deadline: deadline) }
      start(stream, endsStream: endsStream)
    } catch {
      shared.counters.started.add(1, ordering: .relaxed)
      shared.counters.failed.add(1, ordering: .relaxed)
      refuse(id, error, httpStatus: "200")
    }
  }

  private func open(_ id: Int32, _ block: HeaderBlock, _ head: RequestHead) throws(Fault) -> ServerStream {
    let method = try admittedMethod(head.path.map { block.value($0) } ?? [])
    let started = shared.time.instant
    var deadline: Instant?
    if let timeout = head.timeout {
      guard let nanoseconds = CallTimeout.decode(block.value(timeout)) else {
        throw Fault(.invalidArgument, "grpc-timeout must be at most 8 digits and one of H M S m u n")
      }
      deadline = started.advanced(byNanoseconds: nanoseconds)
    }
    guard !head.hasBytes || Metadata.hasReadableBytes(block) else {
      throw Fault(.internalError, "a -bin metadata value is not base64")
    }
    guard !isFull else {
      throw Fault(.resourceExhausted, "this connection's replies wait to be read; read them first")
    }
    guard method.holdsDrain || !isDraining || !drainCause.endsWatchers else { throw drainCause.fault }
    let call = ServerCall(
      method: method, deadline: deadline, caller: caller, headers: block, stream: id, link: link)
    return ServerStream(
      id: id, method: method, call: call, started: started,
      deframer: MessageDeframer(
        messageBytesMax: shared.limits.messageBytesMax, side: .server, encoding: MessageEncoding(block)))
  }

  /// What the peer was let call before it may still call: who it is doesn't change.
  private func admittedMethod(_ path: ArraySlice<UInt8>) throws(Fault) -> RPCMethod {
    if let lastMethod, lastMethod.hasPath(path) { return lastMethod }
    guard let method = shared.methods[path] else {
      throw Fault(.unimplemented, "there is no method \(String(decoding: path.prefix(256), as: UTF8.self))")
    }
    guard method.admits.admits(peer) else { throw denial(of: method) }
    lastMethod = method
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
