internal import Base

/// A unary call's outcome, set once on the event loop and awaited by one task.
final class OnceOutcome: Sendable {
  private enum State {
    case empty
    case waiting(CheckedContinuation<Result<UnaryReply, CallFailure>, Never>)
    case set(Result<UnaryReply, CallFailure>)
  }

  private let state = Locked(State.empty)

  func set(_ result: Result<UnaryReply, CallFailure>) {
    let waiter = state.withLock { state -> CheckedContinuation<Result<UnaryReply, CallFailure>, Never>? in
      defer { state = .set(result) }
      if case .waiting(let waiter) = state { return waiter }
      return nil
    }
    waiter?.resume(returning: result)
  }

  func wait() async -> Result<UnaryReply, CallFailure> {
    await withCheckedContinuation { continuation in
      let result = state.withLock { state -> Result<UnaryReply, CallFailure>? in
        if case .set(let result) = state { return result }
        state = .waiting(continuation)
        return nil
      }
      if let result { continuation.resume(returning: result) }
    }
  }
}

/// Lets a queue name the stream that is made after it.
final class StreamSlot: Sendable {
  private struct Reference: Sendable { weak var stream: ClientStream? }
  private let reference = Locked(Reference())

  var stream: ClientStream? { reference.withLock { $0.stream } }
  func set(_ stream: ClientStream) { reference.withLock { $0.stream = stream } }
}
