internal import Synchronization

/// Tables for threads that need one each for a moment; as many as threads at most.
final class ScratchPool: Sendable {
  private let free = Mutex<[VectorTable]>([])
  private let make: @Sendable () -> VectorTable

  init(_ make: @escaping @Sendable () -> VectorTable) { self.make = make }

  func with(_ body: (VectorTable) -> Void) {
    let table = free.withLock { $0.popLast() } ?? make()
    body(table)
    free.withLock { $0.append(table) }
  }
}
