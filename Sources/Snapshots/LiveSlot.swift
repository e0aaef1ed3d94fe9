internal import Base
internal import Synchronization

/// Holds the generation that is served and those before it, newest first. A reader takes the live one and keeps it for
/// as long as its request lasts; a generation is freed when the slot and its last reader have let go.
///
/// The lock is held for a few assignments only, never while a generation is made or freed.
package final class LiveSlot<Generation: Sendable>: Sendable {
  /// The live one first.
  private let generations: Mutex<[Generation]>

  package init(_ first: Generation? = nil) {
    generations = Mutex(first.map { [$0] } ?? [])
  }

  /// What new requests are served with; `nil` before the first cutover.
  package var current: Generation? { generations.withLock { $0.first } }

  /// The live one and those kept for a rollback, newest first.
  package var all: [Generation] { generations.withLock { $0 } }

  /// Serves `next` from here on and keeps at most `Limits.generationCountMax` in all. Returns those let go.
  @discardableResult
  package func cutover(to next: Generation) -> [Generation] {
    generations.withLock { generations in
      generations.insert(next, at: 0)
      let kept = min(generations.count, Limits.generationCountMax)
      let dropped = Array(generations[kept...])
      generations.removeSubrange(kept...)
      // Returned, so that freeing them happens outside of the lock.
      return dropped
    }
  }

  /// Serves the newest earlier generation that `isTarget` accepts, and lets go of those newer than it. `nil`, and
  /// nothing changed, if there is none.
  @discardableResult
  package func rollback(where isTarget: (Generation) -> Bool = { _ in true }) -> Generation? {
    var dropped: [Generation] = []
    let live = generations.withLock { generations -> Generation? in
      guard let index = generations.indices.dropFirst().first(where: { isTarget(generations[$0]) }) else {
        return nil
      }
      dropped = Array(generations[..<index])
      generations.removeSubrange(..<index)
      return generations.first
    }
    // `dropped` is freed here, outside of the lock.
    withExtendedLifetime(dropped) {}
    return live
  }
}
