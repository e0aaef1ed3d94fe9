internal import Base

/// The messages of one call that arrived and were not taken yet: filled on the event loop, emptied by one task.
///
/// It has no limit of its own: the peer's window is opened only for what was taken.
final class MessageQueue: Sendable {
  private struct State {
    var messages: [WireMessage] = []
    var head = 0
    var end: Result<Void, Fault>?
    var waiter: CheckedContinuation<Void, Never>?
  }

  private let state = Locked(State())
  /// Called with each message's size once it is taken.
  private let taken: @Sendable (Int) -> Void

  init(taken: @escaping @Sendable (Int) -> Void) { self.taken = taken }

  func push(_ message: WireMessage) {
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

  /// The next message, inflated if it came compressed; `nil` at the end. For one task at a time.
  ///
  /// Inflated here, in the task that takes it: there is one inflated message a call, and no event loop waits for it.
  ///
  /// Not inlined, nor `open`: as `step`.
  @inline(never)
  func next(bytesMax: Int) async throws -> (bytes: [UInt8], wasCompressed: Bool)? {
    guard let message = try await nextAsSent() else { return nil }
    guard message.isCompressed else { return (message.bytes, false) }
    return (try open(message, bytesMax), true)
  }

  @inline(never)
  private func open(_ message: WireMessage, _ bytesMax: Int) throws(Fault) -> [UInt8] {
    do throws(Fault) { return try message.opened(bytesMax: bytesMax) } catch {
      // What follows a message that can't be read is not read either, whatever the reader makes of the error.
      state.withLock { state in
        state.end = .failure(error)
        state.messages.removeAll()
        state.head = 0
      }
      throw error
    }
  }

  private func nextAsSent() async throws -> WireMessage? {
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
    case message(WireMessage)
    case end(Result<Void, Fault>)
    case nothingYet
  }

  /// Not inlined: inside the coroutine it crashes the optimiser of Swift 6.3.1 ("while splitting coroutine").
  @inline(never)
  private func step() -> Step {
    let step = state.withLock { state -> Step in
      guard state.head < state.messages.count else { return state.end.map { .end($0) } ?? .nothingYet }
      let message = state.messages[state.head]
      state.messages[state.head] = WireMessage([])
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
