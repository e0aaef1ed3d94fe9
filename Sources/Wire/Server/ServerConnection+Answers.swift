internal import Base

extension ServerConnection {
  /// Does what a call asked for. Its stream may be gone: then there is nobody to do it for.
  func perform(_ command: ServerLink.Command) {
    switch command {
    case .reply(let id, let message):
      guard let stream = streams[id], !stream.isEnded else { return }
      let isUsual = stream.saysOnlyTheUsual
      let body = openBody(stream, reportsReads: false, headers: isUsual ? nil : responseHeaders(stream))
      body.append(message)
      countSending(stream, message.count + OutboundBody.prefixCount)
      body.finish(trailers: isUsual ? nil : trailers(stream, nil))
      session.resume(stream: id, body)
      end(stream, status: nil)
      stream.forgetCall()
    case .fail(let id, let fault):
      if let stream = streams[id], !stream.isEnded { fail(stream, fault) }
    case .send(let id, let message):
      guard let stream = streams[id], !stream.isEnded else { return }
      let body = openBody(stream, reportsReads: true, headers: responseHeaders(stream))
      body.append(message)
      countSending(stream, message.count + OutboundBody.prefixCount)
      session.resume(stream: id, body)
    case .finish(let id):
      guard let stream = streams[id], !stream.isEnded else { return }
      let body = openBody(stream, reportsReads: true, headers: responseHeaders(stream))
      body.finish(trailers: trailers(stream, nil))
      session.resume(stream: id, body)
      end(stream, status: nil)
    case .took(let id, let count):
      guard let stream = streams[id] else { return }
      stream.queuedCount -= 1
      countHeld(stream, -(count + OutboundBody.prefixCount))
      openWindow(stream)
    case .inflated(let id, let message):
      if let stream = streams[id] { receiveInflated(stream, message) }
    }
  }

  /// The response's headers go out with its first message; `nil` stands for the everyday ones.
  private func openBody(
    _ stream: ServerStream, reportsReads: Bool, headers: @autoclosure () -> HeaderBlock?
  ) -> OutboundBody {
    if let body = stream.body { return body }
    let body = stream.beginAnswer(reportsReads: reportsReads)
    session.respond(stream: stream.id, headers: headers(), body: body, isKept: true)
    return body
  }

  /// `nil` stands for the everyday ones.
  private func responseHeaders(_ stream: ServerStream) -> HeaderBlock? {
    let metadata = stream.call?.takeInitialMetadata()
    let compresses = stream.call?.announcesGzip ?? false
    guard metadata != nil || compresses || !stream.deframer.encoding.isIdentity else { return nil }
    var block = HeaderBlock.everydayResponse
    if compresses { block.append("grpc-encoding", "gzip") }
    announceEncodings(stream, &block)
    metadata?.encode(into: &block)
    return block
  }

  /// Says which encodings are taken, to a caller that uses one: others have no use for it, and pay nothing for it.
  private func announceEncodings(_ stream: ServerStream, _ block: inout HeaderBlock) {
    guard !stream.deframer.encoding.isIdentity else { return }
    block.append("grpc-accept-encoding", MessageEncoding.accepted)
  }

  func trailers(_ stream: ServerStream, _ fault: Fault?) -> HeaderBlock? {
    let custom = stream.call?.takeTrailers()
    if fault == nil, custom == nil { return nil }
    var block = HeaderBlock()
    if let fault { StatusMapping.append(fault, to: &block) } else { block.append("grpc-status", "0") }
    custom?.encode(into: &block)
    return block
  }

  func fail(_ stream: ServerStream, _ fault: Fault) {
    if let body = stream.body {
      body.finish(trailers: trailers(stream, fault))
      session.resume(stream: stream.id, body)
    } else {
      var block = HeaderBlock.everydayResponse
      announceEncodings(stream, &block)
      stream.call?.takeInitialMetadata()?.encode(into: &block)
      StatusMapping.append(fault, to: &block)
      stream.call?.takeTrailers()?.encode(into: &block)
      session.respond(stream: stream.id, headers: block, body: nil)
    }
    end(stream, status: fault.code)
    // A handler that still runs, because the fault wasn't its own, works for nobody.
    stream.cancel(fault)
  }

  /// The status is decided.
  func end(_ stream: ServerStream, status: Fault.Code?) {
    stream.isEnded = true
    countHeld(stream, -stream.heldCount)
    changes.open(-1, shared.counters)
    if status != nil { changes.fail(shared.counters) }
    if let observer = shared.observer {
      let nanoseconds = shared.time.instant.nanoseconds(since: stream.started)
      observer(CallRecord(path: stream.method.path, status: status?.rawValue ?? 0, nanoseconds: nanoseconds))
    }
  }
}
