internal import Base

extension ClientConnection {
  func unary<Reply>(
    _ method: MarqueeMethod, _ request: [UInt8], deadline: Instant?,
    decode: ([UInt8]) throws(Fault) -> Reply
  ) async throws(CallFailure) -> Reply {
    let reply = try await unary(method.path, request, deadline: deadline)
    do throws(Fault) { return try decode(reply.message) } catch {
      throw CallFailure(error, trailers: reply.trailers)
    }
  }

  func serverStreaming<Reply>(
    _ method: MarqueeMethod, _ request: [UInt8], deadline: Instant?,
    decode: @escaping @Sendable ([UInt8]) throws(Fault) -> Reply
  ) async throws(CallFailure) -> Replies<Reply> {
    let call = try await open(method.path, deadline: deadline)
    do { try await call.send(request) } catch { throw Self.failure(of: call, error) }
    call.finishSending()
    return Replies(messages: call.responses, decode: decode)
  }

  /// Sends what `next` gives until it gives `nil`, then takes the one reply.
  func clientStreaming<Reply>(
    _ method: MarqueeMethod, deadline: Instant?, next: () async throws -> [UInt8]?,
    decode: ([UInt8]) throws(Fault) -> Reply
  ) async throws(CallFailure) -> Reply {
    let call = try await open(method.path, deadline: deadline)
    do {
      var replies = call.responses.makeAsyncIterator()
      while let message = try await next() {
        do { try await call.send(message) } catch is Fault {
          // The server has ended the call before it had everything: its status says why, and is read below.
          break
        }
      }
      call.finishSending()
      guard let message = try await replies.next() else {
        throw Fault(.unimplemented, "\(method.path) was answered without a message")
      }
      let reply = try decode(message)
      // The status comes after the reply, and may still be a fault.
      guard try await replies.next() == nil else {
        throw Fault(.unimplemented, "\(method.path) was answered with more than one message")
      }
      return reply
    } catch {
      call.cancel()
      throw Self.failure(of: call, error)
    }
  }

  /// The call's own failure, which has its trailers, or `error` where it was something of ours.
  private static func failure(of call: ClientCall, _ error: any Error) -> CallFailure {
    if error is Fault, let failure = call.failure { return failure }
    return CallFailure(Fault(describing: error))
  }
}
