/// Where each of some ordinals lies in their rising order: one look says whether it is among them, and where.
///
/// A bit for each ordinal up to a number, and with each 64 of them how many come before: 250 KB for a million. Guard for
/// `@unchecked Sendable`: nothing changes after init.
final class OrdinalPlaces: @unchecked Sendable {
  private struct Word {
    var bits: UInt64 = 0
    var before: UInt32 = 0
  }

  private let words: UnsafeMutableBufferPointer<Word>
  private let end: Int

  /// `ordinals` rise; those from `end` on are left out.
  init(_ ordinals: UnsafeBufferPointer<UInt32>, end: Int) {
    self.end = end
    words = .allocate(capacity: (end + 63) / 64)
    words.initialize(repeating: Word())
    for ordinal in ordinals where Int(ordinal) < end {
      words[Int(ordinal >> 6)].bits |= 1 << UInt64(ordinal & 63)
    }
    var before: UInt32 = 0
    for word in words.indices {
      words[word].before = before
      before += UInt32(words[word].bits.nonzeroBitCount)
    }
  }

  deinit { words.deallocate() }

  @inline(__always)
  func place(of ordinal: UInt32) -> Int? {
    guard Int(ordinal) < end else { return nil }
    let word = words[Int(ordinal >> 6)]
    let bit = UInt64(1) << UInt64(ordinal & 63)
    guard word.bits & bit != 0 else { return nil }
    return Int(word.before) + (word.bits & (bit - 1)).nonzeroBitCount
  }
}
