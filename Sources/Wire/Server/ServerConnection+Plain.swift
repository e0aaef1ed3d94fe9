internal import Base

extension ServerConnection {
  /// A request that is HTTP and not gRPC. It is answered once it has ended, so that what is wrong with its body is
  /// still found.
  struct PlainRequest {
    var status: String
    var isHead: Bool
    /// Bytes of its body that are passed over at most before the answer.
    var patience = 64 << 10
    /// When it is answered though it goes on.
    var due: Instant
    /// Long enough for a body that was sent with its headers; whoever waits for an answer first doesn't wait long.
    static let waitMilliseconds: UInt64 = 500
  }

  func answerPlainly(_ id: Int32, _ block: HeaderBlock, status: String, endsStream: Bool) {
    let isHead = block.first(":method")?.elementsEqual("HEAD".utf8) == true
    let due = shared.time.instant.advanced(byMilliseconds: PlainRequest.waitMilliseconds)
    plainRequests[id] = PlainRequest(status: status, isHead: isHead, due: due)
    if endsStream { finishPlainly(id) } else { alarm.set(due) }
  }

  func receivePlainly(_ id: Int32, _ count: Int) {
    guard let patience = plainRequests[id]?.patience else { return }
    session.consumeStream(id, count)
    plainRequests[id]?.patience = patience - count
    if count > patience { finishPlainly(id) }
  }

  func finishPlainly(_ id: Int32) {
    guard let request = plainRequests.removeValue(forKey: id) else { return }
    let text = "This is a gRPC server: POST with content-type application/grpc.\n"
    var block = HeaderBlock()
    block.append(":status", request.status)
    if request.status == "405" { block.append("allow", "POST") }
    block.append("content-type", "text/plain")
    block.append("content-length", String(text.utf8.count))
    session.respond(stream: id, headers: block, text: request.isHead ? nil : text)
  }

  /// Answers what has kept us waiting; tells when the next will have.
  func finishLatePlainRequests(_ now: Instant) -> Instant {
    var next = Instant.distantFuture
    for (id, request) in plainRequests {
      if request.due <= now { finishPlainly(id) } else { next = min(next, request.due) }
    }
    return next
  }
}
