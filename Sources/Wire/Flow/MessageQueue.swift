internal import Base
internal import Synchronization

/// The messages of one call that arrived and were not taken yet: filled on the event loop, emptied by one task.
///
/// It has no limit of its own: the peer's window is opened only for what was taken.
final class MessageQueue: Sendable {
  private struct State {
    var messages: [[UInt8]] = []
    var head = 0
    var end: Result<Void, Fault>?
    var waiter: CheckedContinuation<Void, Never>?
  }

  private let state = Mutex(State())
  /// Called with each message's size once it is taken.
  private let taken: @Sendable (Int) -> Void

  init(taken: @escaping @Sendable (Int) -> Void) { self.taken = taken }

  func push(_ message: [UInt8]) {
    let waiter = state.withLock { state -> CheckedContinuation<Void, Never>? in
      guard state.end == nil else { return nil }
      state.messages.append(message)
      return state.waiter.take()
    }
    waiter?.resume()
  }

  /// No more messages. With `drops`, those that wait are not handed out either.
  func finish(_ end: Result<Void, Fault>, drops: Bool) {
    let waiter = state.withLock { state -> CheckedContinuation<Void, Never>? in
      guard state.end == nil else { return nil }
      state.end = end
      if drops {
        state.messages.removeAll()
        state.head = 0
      }
      return state.waiter.take()
    }
    waiter?.resume()
  }

  /// The next message; `nil` at the end. For one task at a time.
  func next() async throws -> [UInt8]? {
    while true {
      switch step() {
      case .message(let message): return message
      case .end(.success): return nil
      case .end(.failure(let fault)): throw fault
      case .nothingYet:
        await wait()
        try Task.checkCancellation()
      }
    }
  }

  private enum Step {
    case message([UInt8])
    case end(Result<Void, Fault>)
    case nothingYet
  }

  /// Not inlined: inside the coroutine it crashes the optimiser of Swift 6.3.1 ("while splitting coroutine").
  @inline(never)
  private func step() -> Step {
    let step = state.withLock { state -> Step in
      guard state.head < state.messages.count else { return state.end.map { .end($0) } ?? .nothingYet }
      let message = state.messages[state.head]
      state.messages[state.head] = []
      state.head += 1
      if state.head == state.messages.count {
        state.messages.removeAll(keepingCapacity: true)
        state.head = 0
      } else if state.head >= 64 {
        state.messages.removeFirst(state.head)
        state.head = 0
      }
      return .message(message)
    }
    if case .message(let message) = step { taken(message.count) }
    return step
  }

  private func wait() async {
    await withTaskCancellationHandler {
      await withCheckedContinuation { continuation in
        let isReady = state.withLock { state -> Bool in
          if state.head < state.messages.count || state.end != nil || Task.isCancelled { return true }
          precondition(state.waiter == nil, "a call's messages are read by one task at a time")
          state.waiter = continuation
          return false
        }
        if isReady { continuation.resume() }
      }
    } onCancel: {
      state.withLock { $0.waiter.take() }?.resume()
    }
  }
}
