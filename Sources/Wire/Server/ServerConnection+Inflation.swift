internal import Base

extension ServerConnection {
  /// Inflates a unary call's request away from the event loop, since its peer decides how long that takes.
  func inflate(_ message: WireMessage, of stream: ServerStream) {
    let (id, link, bytesMax) = (stream.id, link, shared.limits.messageBytesMax)
    stream.task = Task {
      do throws(Fault) {
        link.perform(.inflated(id, try message.opened(bytesMax: bytesMax)))
      } catch {
        link.perform(.fail(id, error))
      }
    }
  }

  /// It counts as held until the call ends: few bytes on the wire may have made it.
  func receiveInflated(_ stream: ServerStream, _ message: [UInt8]) {
    guard !stream.isEnded, let call = stream.call, case .unary(let body) = stream.method.handler else {
      return
    }
    countHeld(stream, message.count - stream.heldCount)
    guard heldCount <= shared.limits.connectionBufferedBytesMax else {
      return fail(stream, Fault(.resourceExhausted, "too many bytes of unfinished calls on one connection"))
    }
    call.noteCompressedRequest()
    body(call, message)
  }
}
