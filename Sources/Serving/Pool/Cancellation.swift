internal import Synchronization

/// One request's flag: set by whoever no longer wants the answer, read between stages by whoever makes it.
package final class Cancellation: Sendable {
  private let flag = Atomic<Bool>(false)

  package init() {}

  package func cancel() { flag.store(true, ordering: .relaxed) }
  package var isCancelled: Bool { flag.load(ordering: .relaxed) }
}
