internal import CKernels

/// What those watched who watched what one profile did: for each title how alike it is to all of the history together.
/// Lives in memory that is kept from profile to profile.
///
/// Open addressing over a table of fixed size; a slot counts only if it carries the present stamp.
package struct NeighbourSums: Sendable {
  /// What is known of one title.
  package struct Values: Sendable, Equatable {
    /// Of how alike it is to each title of the history, times that title's weight as a share of the largest.
    package var sum: Float
    /// The same with ``recentFactor`` for each title that was watched later.
    package var recent: Float
    /// `sum` as a share of the largest of the profile, 0...1.
    package var share: Float

    package static let zero = Values(sum: 0, recent: 0, share: 0)

    package init(sum: Float, recent: Float, share: Float) {
      (self.sum, self.recent, self.share) = (sum, recent, share)
    }
  }

  private struct Slot {
    var ordinal: UInt32 = 0
    var stamp: UInt32 = 0
    var sum: Float = 0
    var recent: Float = 0
  }

  package static let recentFactor: Float = 0.9
  /// Titles of a history that count, the latest.
  package static let titleCountMax = 64

  private static let slotCount = 2 * titleCountMax * NeighbourLists.neighbourCountMax
  private var slots = [Slot](repeating: Slot(), count: slotCount)
  /// Slots in use, in the order in which they were taken.
  private var used: [UInt32] = []
  private var stamp: UInt32 = 1
  private var titleCount = 0
  private var factor: Float = 1
  private var largest: Float = 0

  package init() { used.reserveCapacity(Self.slotCount / 2) }

  /// Forgets everything, for another profile.
  package mutating func reset() {
    used.removeAll(keepingCapacity: true)
    (titleCount, factor, largest) = (0, 1, 0)
    stamp &+= 1
    // After four billion profiles old stamps would come alive again.
    if stamp == 0 {
      for slot in slots.indices { slots[slot].stamp = 0 }
      stamp = 1
    }
  }

  /// A history, the latest title first, each with what it says for itself; those that speak for nothing are left out.
  package mutating func add(_ history: [(ordinal: UInt32, weight: Float)], _ neighbours: TitleNeighbours) {
    // Weights decay with time: after a month away they'd say nothing, and their order says as much as ever.
    let most = history.reduce(0) { max($0, $1.weight) }
    guard most > 0 else { return }
    // Lists lie all over the segment: one after the other each would be waited for.
    for title in history.prefix(Self.titleCountMax) where title.weight > 0 { neighbours.fetch(title.ordinal) }
    var sums = Sums(used: [], factor: factor, largest: largest)
    swap(&sums.used, &used)
    slots.withUnsafeMutableBufferPointer { slots in
      for title in history where title.weight > 0 {
        guard titleCount < Self.titleCountMax else { return }
        titleCount += 1
        let share = title.weight / most
        neighbours.forEach(of: title.ordinal) { sums.add($0, $1 * share, to: slots, stamp: stamp) }
        sums.factor *= Self.recentFactor
      }
    }
    swap(&sums.used, &used)
    (factor, largest) = (sums.factor, sums.largest)
  }

  /// What changes while a history is added up, beside the slots.
  private struct Sums {
    var used: [UInt32]
    var factor: Float
    var largest: Float

    @inline(__always)
    mutating func add(
      _ ordinal: UInt32, _ weight: Float, to slots: UnsafeMutableBufferPointer<Slot>, stamp: UInt32
    ) {
      let place = NeighbourSums.place(of: ordinal, in: slots, stamp: stamp)
      if slots[place].stamp != stamp {
        slots[place] = Slot(ordinal: ordinal, stamp: stamp)
        used.append(UInt32(place))
      }
      slots[place].sum += weight
      slots[place].recent += weight * factor
      largest = max(largest, slots[place].sum)
    }
  }

  package func values(_ ordinal: UInt32) -> Values {
    let slot = slots[place(of: ordinal)]
    guard slot.stamp == stamp else { return .zero }
    return Values(sum: slot.sum, recent: slot.recent, share: largest > 0 ? slot.sum / largest : 0)
  }

  package var isEmpty: Bool { used.isEmpty }

  /// The titles with the largest sums, the largest first, ties by ordinal; `keys` is memory to work in.
  package func best(
    _ count: Int, into keys: inout [UInt64], where isAllowed: (UInt32) -> Bool, body: (UInt32) -> Void
  ) {
    keys.removeAll(keepingCapacity: true)
    for place in used where isAllowed(slots[Int(place)].ordinal) {
      let slot = slots[Int(place)]
      // Sums are above zero: their bits are in their order.
      keys.append(UInt64(slot.sum.bitPattern) << 32 | UInt64(~slot.ordinal))
    }
    let kept = min(max(count, 0), keys.count)
    keys.withUnsafeMutableBufferPointer { keys in
      guard let start = keys.baseAddress, kept > 0 else { return }
      mk_keep_largest(start, keys.count, kept)
      mk_sort_descending(start, kept)
    }
    for key in keys.prefix(kept) { body(~UInt32(truncatingIfNeeded: key)) }
  }

  private func place(of ordinal: UInt32) -> Int {
    slots.withUnsafeBufferPointer { slots in
      Self.place(of: ordinal, in: UnsafeMutableBufferPointer(mutating: slots), stamp: stamp)
    }
  }

  @inline(__always)
  private static func place(
    of ordinal: UInt32, in slots: UnsafeMutableBufferPointer<Slot>, stamp: UInt32
  ) -> Int {
    let mask = slotCount - 1
    var place = Int(truncatingIfNeeded: (UInt64(ordinal) &* 0x9e37_79b9_7f4a_7c15) >> 32) & mask
    while slots[place].stamp == stamp, slots[place].ordinal != ordinal { place = (place + 1) & mask }
    return place
  }
}
