internal import Base

/// The messages of a streaming call as values. Throws the `Fault` of a message that can't be read, and what the
/// stream below throws.
package struct DecodedStream<Messages: AsyncSequence & Sendable, Element: Sendable>: AsyncSequence, Sendable
where Messages.Element == [UInt8] {
  let messages: Messages
  let decode: @Sendable ([UInt8]) throws(Fault) -> Element

  package struct AsyncIterator: AsyncIteratorProtocol {
    var messages: Messages.AsyncIterator
    let decode: @Sendable ([UInt8]) throws(Fault) -> Element

    package mutating func next() async throws -> Element? {
      guard let message = try await messages.next() else { return nil }
      return try decode(message)
    }
  }

  package func makeAsyncIterator() -> AsyncIterator {
    AsyncIterator(messages: messages.makeAsyncIterator(), decode: decode)
  }
}

/// What a client sends, as its server sees it.
package typealias Requests<Element: Sendable> = DecodedStream<RequestStream, Element>
/// What a server sends, as its client sees it.
package typealias Replies<Element: Sendable> = DecodedStream<ResponseStream, Element>
