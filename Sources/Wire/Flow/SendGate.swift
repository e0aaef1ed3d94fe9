internal import Base

/// Counts the bytes that one call has queued for sending, and lets its writers wait while they are too many.
final class SendGate: Sendable {
  private struct State {
    var pendingCount = 0
    var closed: Fault?
    var waiters: [(id: UInt64, continuation: CheckedContinuation<Void, Never>)] = []
    var nextID: UInt64 = 0
  }

  private enum Entry {
    case open
    case full
    case closed(Fault)
  }

  private let state = Locked(State())
  private let high: Int
  private let low: Int

  init(high: Int) {
    self.high = high
    low = high / 2
  }

  var pendingCount: Int { state.withLock { $0.pendingCount } }

  /// Returns when `count` more bytes may be queued: at once while less than the high mark is pending.
  func enter(_ count: Int) async throws {
    while true {
      switch state.withLock({ enter(count, &$0) }) {
      case .open: return
      case .closed(let fault): throw fault
      case .full:
        await wait()
        try Task.checkCancellation()
      }
    }
  }

  private func enter(_ count: Int, _ state: inout State) -> Entry {
    if let fault = state.closed { return .closed(fault) }
    guard state.pendingCount < high else { return .full }
    state.pendingCount += count
    return .open
  }

  /// `count` bytes have left.
  func leave(_ count: Int) {
    let waiters = state.withLock { state -> [(id: UInt64, continuation: CheckedContinuation<Void, Never>)] in
      state.pendingCount = max(0, state.pendingCount - count)
      guard state.pendingCount <= low, !state.waiters.isEmpty else { return [] }
      defer { state.waiters.removeAll() }
      return state.waiters
    }
    for waiter in waiters { waiter.continuation.resume() }
  }

  /// Every writer, now and later, gets `fault`.
  func close(_ fault: Fault) {
    let waiters = state.withLock { state -> [(id: UInt64, continuation: CheckedContinuation<Void, Never>)] in
      if state.closed == nil { state.closed = fault }
      defer { state.waiters.removeAll() }
      return state.waiters
    }
    for waiter in waiters { waiter.continuation.resume() }
  }

  private func wait() async {
    let id = state.withLock { state -> UInt64 in
      state.nextID += 1
      return state.nextID
    }
    await withTaskCancellationHandler {
      await withCheckedContinuation { continuation in
        let isReady = state.withLock { state -> Bool in
          if state.closed != nil || state.pendingCount < high || Task.isCancelled { return true }
          state.waiters.append((id, continuation))
          return false
        }
        if isReady { continuation.resume() }
      }
    } onCancel: {
      let waiter = state.withLock { state -> CheckedContinuation<Void, Never>? in
        guard let index = state.waiters.firstIndex(where: { $0.id == id }) else { return nil }
        return state.waiters.remove(at: index).continuation
      }
      waiter?.resume()
    }
  }
}
