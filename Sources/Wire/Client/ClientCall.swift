internal import Base

/// One open streaming call of a client. Letting go of it cancels it.
package final class ClientCall: Sendable {
  private let stream: ClientStream
  private let ends: StreamingEnds
  private let link: ClientLink

  init(stream: ClientStream, ends: StreamingEnds, link: ClientLink) {
    self.stream = stream
    self.ends = ends
    self.link = link
  }

  deinit { link.perform(.cancel(stream)) }

  /// Queues one message; waits first while the server reads slowly. Throws the call's `Fault` once it has ended.
  ///
  /// With `compress` false it goes as it is, also in a call that was opened to compress.
  package func send(_ message: [UInt8], compress: Bool = true) async throws {
    let message = stream.compresses && compress ? WireMessage(gzipping: message) : WireMessage(message)
    try await ends.gate.enter(message.count + OutboundBody.prefixCount)
    link.perform(.send(stream, message))
  }

  /// No more messages follow.
  package func finishSending() { link.perform(.finish(stream)) }

  /// The server's messages, for one reader. Ends with the call, by throwing its `Fault` when it did not end well.
  package var responses: ResponseStream { ResponseStream(queue: ends.queue, call: self) }

  /// A response that can't be read ends the call.
  func giveUp(_ fault: Fault) { link.perform(.giveUp(stream, fault)) }

  var messageBytesMax: Int { stream.messageBytesMax }

  /// Waits for the response's headers.
  package func initialMetadata() async -> Metadata { await ends.initialMetadata() }

  /// Once the call has ended.
  package var trailers: Metadata? { ends.trailers }

  /// Once the call has ended, and not well.
  package var failure: CallFailure? { ends.failure }

  package func cancel() { link.perform(.cancel(stream)) }
}

/// The messages that a server sends, in order.
package struct ResponseStream: AsyncSequence, Sendable {
  package typealias Element = [UInt8]

  let queue: MessageQueue
  /// Kept, so that the call lives as long as somebody reads.
  let call: ClientCall

  package struct AsyncIterator: AsyncIteratorProtocol {
    let queue: MessageQueue
    let call: ClientCall
    /// Whether the message that ``next()`` gave last had been sent compressed.
    package private(set) var wasCompressed = false

    /// A cancelled task cancels the call.
    package mutating func next() async throws -> [UInt8]? {
      do {
        guard let message = try await queue.next(bytesMax: call.messageBytesMax) else { return nil }
        wasCompressed = message.wasCompressed
        return message.bytes
      } catch let error as CancellationError {
        call.cancel()
        throw error
      } catch let fault as Fault {
        // Nothing more happens to a call that had ended, which is where most faults come from.
        call.giveUp(fault)
        throw fault
      }
    }
  }

  package func makeAsyncIterator() -> AsyncIterator { AsyncIterator(queue: queue, call: call) }
}
