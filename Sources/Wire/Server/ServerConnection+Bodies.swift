internal import Base
internal import Synchronization

extension ServerConnection {
  func receiveData(_ stream: ServerStream, _ bytes: UnsafeBufferPointer<UInt8>) {
    guard !stream.isEnded, !stream.hasPeerEnded else {
      session.consumeStream(stream.id, bytes.count)
      return
    }
    stream.unconsumedCount += bytes.count
    stream.receivedCount += bytes.count
    countHeld(stream, bytes.count)
    guard !holdsTooMuch(heldCount) else {
      return fail(stream, Fault(.resourceExhausted, "too many bytes of unfinished calls on one connection"))
    }
    do throws(Fault) {
      try stream.deframer.push(bytes, into: &scratch)
    } catch {
      scratch.removeAll(keepingCapacity: true)
      return fail(stream, error)
    }
    if scratch.count == 1, let message = scratch.popLast() {
      receiveMessage(stream, message)
    } else if !scratch.isEmpty {
      for message in scratch { receiveMessage(stream, message) }
      scratch.removeAll(keepingCapacity: true)
    }
    openWindow(stream)
  }

  /// A connection may hold much while there is much to be had; when there isn't, those that hold least are spared.
  func holdsTooMuch(_ count: Int) -> Bool {
    let limits = shared.limits
    if count > limits.connectionBufferedBytesMax { return true }
    return count > limits.sendQueueBytesMax
      && shared.counters.buffered.load(ordering: .relaxed) > limits.bufferedBytesMax
  }

  func receiveMessage(_ stream: ServerStream, _ message: consuming WireMessage) {
    guard !stream.isEnded else { return }
    if let queue = stream.queue {
      stream.queuedCount += 1
      queue.push(message)
    } else if stream.message == nil {
      stream.message = message
    } else {
      fail(stream, Fault(.unimplemented, "\(stream.method.path) takes one message, and a second came"))
    }
  }

  /// The peer may send on once its handler has nothing left to take: so a message longer than the window arrives,
  /// and no more than a window is queued.
  func openWindow(_ stream: ServerStream) {
    guard stream.queuedCount == 0, stream.unconsumedCount > 0 else { return }
    session.consumeStream(stream.id, stream.unconsumedCount)
    stream.unconsumedCount = 0
  }

  func finishRequest(_ stream: ServerStream) {
    stream.hasPeerEnded = true
    guard !stream.isEnded, let call = stream.call else { return }
    guard stream.deframer.isBetweenMessages else {
      return fail(stream, Fault(.internalError, "the request ends in the middle of a message"))
    }
    switch stream.method.handler {
    case .streaming: stream.queue?.finish(.success(()), drops: false)
    case .unary(let body):
      guard let message = stream.message.take() else {
        return fail(stream, Fault(.unimplemented, "\(stream.method.path) takes one message, and none came"))
      }
      guard !message.isCompressed else { return inflate(message, of: stream) }
      countHeld(stream, -stream.heldCount)
      body(call, message.takeBytes())
    }
  }
}
