package import Base

/// Of each title those that were watched by the same people, with how alike the two audiences are: the lists of a base,
/// and perhaps a tail that says what has become of them.
package struct TitleNeighbours: Sendable {
  package let titleCount: Int
  package var baseCount: Int { base.count }
  private let base: NeighbourLists
  private let tail: NeighbourTail?

  package init(base: NeighbourLists, tail: NeighbourTail? = nil) throws(Refusal) {
    if let tail, tail.baseCount != base.count {
      throw Refusal(
        .unreadable, at: "neighbours/tail", "is of a base of \(tail.baseCount) titles, not \(base.count)")
    }
    self.base = base
    self.tail = tail
    titleCount = base.count + (tail?.tailCount ?? 0)
  }

  /// Has a title's list fetched into the cache, for whoever reads it a little later.
  @inline(__always)
  package func fetch(_ title: UInt32) {
    guard Int(title) < titleCount else { return }
    guard let tail else { return base.fetch(Int(title)) }
    let kept = tail.kept(title)
    if let list = tail.list(of: kept) {
      tail.lists.fetch(list)
    } else if Int(kept) < base.count {
      base.fetch(Int(kept))
    }
  }

  /// The neighbours of a title, the most alike first, each with how alike: 0 to 1. A neighbour that is no title is left out.
  @inline(__always)
  package func forEach(of title: UInt32, _ body: (UInt32, Float) -> Void) {
    guard Int(title) < titleCount else { return }
    guard let tail else {
      return base.forEach(in: Int(title)) { if $0 < titleCount { body($0, $1) } }
    }
    let kept = tail.kept(title)
    if let list = tail.list(of: kept) {
      tail.lists.forEach(in: list) { visit($0, $1, tail, body) }
    } else if Int(kept) < base.count {
      base.forEach(in: Int(kept)) { visit($0, $1, tail, body) }
    }
  }

  @inline(__always)
  private func visit(_ kept: UInt32, _ weight: Float, _ tail: NeighbourTail, _ body: (UInt32, Float) -> Void)
  {
    let title = tail.current(kept)
    if title < titleCount { body(title, weight) }
  }
}
