/// A small map from ordinals to indexes, emptied in constant time: one worker's memory of what it has seen.
///
/// Open addressing over a table of fixed size; a slot counts only if it carries the present stamp.
struct OrdinalTable {
  private var ordinals: [UInt32]
  private var values: [Int32]
  private var stamps: [UInt32]
  private var stamp: UInt32 = 1
  private(set) var count = 0
  let countMax: Int
  private let mask: Int

  /// Holds up to `countMax` ordinals; the table is at least twice as long, so that runs stay short.
  init(countMax: Int) {
    precondition(countMax > 0)
    var slotCount = 2
    while slotCount < 2 * countMax { slotCount *= 2 }
    self.countMax = countMax
    mask = slotCount - 1
    ordinals = Array(repeating: 0, count: slotCount)
    values = Array(repeating: 0, count: slotCount)
    stamps = Array(repeating: 0, count: slotCount)
  }

  mutating func removeAll() {
    count = 0
    stamp &+= 1
    // After four billion requests old stamps would come alive again.
    if stamp == 0 {
      for slot in stamps.indices { stamps[slot] = 0 }
      stamp = 1
    }
  }

  private func slot(of ordinal: UInt32) -> Int {
    var slot = Int(truncatingIfNeeded: (UInt64(ordinal) &* 0x9e37_79b9_7f4a_7c15) >> 32) & mask
    while stamps[slot] == stamp, ordinals[slot] != ordinal { slot = (slot + 1) & mask }
    return slot
  }

  func value(_ ordinal: UInt32) -> Int? {
    let slot = slot(of: ordinal)
    return stamps[slot] == stamp ? Int(values[slot]) : nil
  }

  func contains(_ ordinal: UInt32) -> Bool { stamps[slot(of: ordinal)] == stamp }

  /// The value that the ordinal has already, or `nil` after it was put in. Callers bound what they insert by
  /// ``countMax``.
  mutating func insert(_ ordinal: UInt32, _ value: Int) -> Int? {
    let slot = slot(of: ordinal)
    if stamps[slot] == stamp { return Int(values[slot]) }
    precondition(count < countMax, "more ordinals than the table was made for")
    stamps[slot] = stamp
    ordinals[slot] = ordinal
    values[slot] = Int32(value)
    count += 1
    return nil
  }
}
