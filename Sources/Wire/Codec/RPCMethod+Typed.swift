internal import Base

extension RPCMethod {
  /// A unary method that answers from any thread, once.
  static func unary<Request, Reply>(
    _ method: MarqueeMethod, decode: @escaping @Sendable ([UInt8]) throws(Fault) -> Request,
    encode: @escaping @Sendable (Reply) -> [UInt8],
    answer:
      @escaping @Sendable (Request, ServerCall, @escaping @Sendable (Result<Reply, Fault>) -> Void) -> Void
  ) -> RPCMethod {
    unary(method, decode: decode, send: { reply, call in call.reply(encode(reply)) }, answer: answer)
  }

  /// The same, `send` replying to the call.
  static func unary<Request, Reply>(
    _ method: MarqueeMethod, decode: @escaping @Sendable ([UInt8]) throws(Fault) -> Request,
    send: @escaping @Sendable (Reply, ServerCall) -> Void,
    answer:
      @escaping @Sendable (Request, ServerCall, @escaping @Sendable (Result<Reply, Fault>) -> Void) -> Void
  ) -> RPCMethod {
    RPCMethod(
      method.path, holdsDrain: method.holdsDrain,
      .unary { call, bytes in
        let request: Request
        do throws(Fault) { request = try decode(bytes) } catch { return call.fail(error) }
        answer(request, call) { result in
          switch result {
          case .success(let reply): send(reply, call)
          case .failure(let fault): call.fail(fault)
          }
        }
      })
  }

  /// A unary method in a task of its own, which is cancelled with the call.
  static func unary<Request: Sendable, Reply: Sendable>(
    _ method: MarqueeMethod, decode: @escaping @Sendable ([UInt8]) throws(Fault) -> Request,
    encode: @escaping @Sendable (Reply) -> [UInt8],
    answer: @escaping @Sendable (Request, ServerCall) async throws -> Reply
  ) -> RPCMethod {
    .unary(method, decode: decode, encode: encode) { request, call, done in
      let task = Task {
        do { done(.success(try await answer(request, call))) } catch {
          done(.failure(Fault(describing: error)))
        }
      }
      call.onCancel { task.cancel() }
    }
  }

  static func streaming(
    _ method: MarqueeMethod,
    _ answer: @escaping @Sendable (ServerCall, RequestStream, ResponseWriter) async throws -> Void
  ) -> RPCMethod {
    RPCMethod(
      method.path, holdsDrain: method.holdsDrain,
      .streaming { call, requests, writer in
        do { try await answer(call, requests, writer) } catch { throw Fault(describing: error) }
      })
  }
}

extension RequestStream {
  /// The one message of a server-streaming call. None, or more than one, is `unimplemented`, as gRPC has it.
  func only() async throws -> [UInt8] {
    var messages = makeAsyncIterator()
    guard let message = try await messages.next() else {
      throw Fault(.unimplemented, "the call ended without its request")
    }
    guard try await messages.next() == nil else {
      throw Fault(.unimplemented, "the call has one request, and more were sent")
    }
    return message
  }
}

extension Fault {
  /// What a caller is told of any error of a handler.
  init(describing error: any Error) {
    self =
      switch error {
      case let fault as Fault: fault
      case let failure as CallFailure: failure.fault
      case is CancellationError: Fault(.cancelled, "the call was cancelled")
      case let disk as DiskFault:
        Fault(disk.code == .full ? .resourceExhausted : .internalError, "\(disk)")
      case let refusal as Refusal: Fault(.failedPrecondition, "\(refusal)")
      default: Fault(.unknown, "\(error)")
      }
  }
}
