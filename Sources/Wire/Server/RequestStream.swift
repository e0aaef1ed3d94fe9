/// The messages of a streaming call in their order; the caller may send on only as they are taken.
///
/// Throws a `Fault` when the call is cancelled, and `CancellationError` when the task is. For one reader.
package struct RequestStream: AsyncSequence, Sendable {
  package typealias Element = [UInt8]

  let queue: MessageQueue
  let messageBytesMax: Int

  package struct AsyncIterator: AsyncIteratorProtocol {
    let queue: MessageQueue
    let messageBytesMax: Int
    /// Whether the message that ``next()`` gave last had been sent compressed.
    package private(set) var wasCompressed = false

    package mutating func next() async throws -> [UInt8]? {
      guard let message = try await queue.next(bytesMax: messageBytesMax) else { return nil }
      wasCompressed = message.wasCompressed
      return message.bytes
    }
  }

  package func makeAsyncIterator() -> AsyncIterator {
    AsyncIterator(queue: queue, messageBytesMax: messageBytesMax)
  }
}

/// Sends the messages of a streaming call.
package struct ResponseWriter: Sendable {
  let call: ServerCall
  let stream: Int32
  let gate: SendGate
  let link: ServerLink

  /// Queues one message; waits first while the caller reads slowly. Throws a `Fault` once the call is cancelled.
  ///
  /// With `compress` false it goes as it is, also in a call whose replies are compressed: see
  /// ``ServerCall/compressReplies()``.
  package func send(_ message: [UInt8], compress: Bool = true) async throws {
    let message = call.packed(message, compress: compress)
    try await gate.enter(message.count + OutboundBody.prefixCount)
    link.perform(.send(stream, message))
  }
}
