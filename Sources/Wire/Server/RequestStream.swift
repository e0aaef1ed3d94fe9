/// The messages of a streaming call in their order; the caller may send on only as they are taken.
///
/// Throws a `Fault` when the call is cancelled, and `CancellationError` when the task is. For one reader.
package struct RequestStream: AsyncSequence, Sendable {
  package typealias Element = [UInt8]

  let queue: MessageQueue

  package struct AsyncIterator: AsyncIteratorProtocol {
    let queue: MessageQueue

    package mutating func next() async throws -> [UInt8]? { try await queue.next() }
  }

  package func makeAsyncIterator() -> AsyncIterator { AsyncIterator(queue: queue) }
}

/// Sends the messages of a streaming call.
package struct ResponseWriter: Sendable {
  let stream: Int32
  let gate: SendGate
  let link: ServerLink

  /// Queues one message; waits first while the caller reads slowly. Throws a `Fault` once the call is cancelled.
  package func send(_ message: [UInt8]) async throws {
    try await gate.enter(message.count + OutboundBody.prefixCount)
    link.perform(.send(stream, message))
  }
}
