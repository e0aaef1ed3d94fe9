internal import Base

/// What the caller of a streaming call and its connection share.
final class StreamingEnds: Sendable {
  private struct State {
    var opening: CheckedContinuation<Result<Void, CallFailure>, Never>?
    var opened: Result<Void, CallFailure>?
    var initial: Metadata?
    var waiters: [CheckedContinuation<Void, Never>] = []
    var trailers: Metadata?
    var failure: CallFailure?
    var isFinished = false
  }

  let queue: MessageQueue
  let gate: SendGate
  private let state = Locked(State())

  init(queue: MessageQueue, gate: SendGate) {
    self.queue = queue
    self.gate = gate
  }

  /// Returns once the call has a stream.
  func waitUntilOpen() async -> Result<Void, CallFailure> {
    await withCheckedContinuation { continuation in
      let opened = state.withLock { state in
        if state.opened == nil { state.opening = continuation }
        return state.opened
      }
      if let opened { continuation.resume(returning: opened) }
    }
  }

  func opened(_ result: Result<Void, CallFailure>) {
    let opening = state.withLock { state -> CheckedContinuation<Result<Void, CallFailure>, Never>? in
      if state.opened == nil { state.opened = result }
      return state.opening.take()
    }
    opening?.resume(returning: result)
  }

  func arrived(initial: Metadata) {
    wake { state in
      if state.initial == nil { state.initial = initial }
    }
  }

  func finish(_ failure: CallFailure?, initial: Metadata, trailers: Metadata, drops: Bool) {
    wake { state in
      if state.initial == nil { state.initial = initial }
      state.trailers = trailers
      state.failure = failure
      state.isFinished = true
    }
    gate.close(failure?.fault ?? Fault(.cancelled, "the call has ended"))
    if let failure {
      queue.finish(.failure(failure.fault), drops: drops)
    } else {
      queue.finish(.success(()), drops: false)
    }
  }

  private func wake(_ change: (inout State) -> Void) {
    let waiters = state.withLock { state in
      change(&state)
      defer { state.waiters = [] }
      return state.waiters
    }
    for waiter in waiters { waiter.resume() }
  }

  /// The response's headers, once they are here; a failed call's may be empty.
  func initialMetadata() async -> Metadata {
    await withCheckedContinuation { continuation in
      let isHere = state.withLock { state in
        if state.initial == nil { state.waiters.append(continuation) }
        return state.initial != nil
      }
      if isHere { continuation.resume() }
    }
    return state.withLock { $0.initial } ?? Metadata()
  }

  var trailers: Metadata? { state.withLock { $0.trailers } }
  var failure: CallFailure? { state.withLock { $0.failure } }
}
