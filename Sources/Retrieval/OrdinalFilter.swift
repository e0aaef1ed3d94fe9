internal import Base
internal import CKernels

/// Which ordinals of a generation a search may return: a bitmap over all parts, 1 is allowed.
///
/// Dead ordinals must be 0 in it. The words are the caller's, and must outlive the search.
package struct OrdinalFilter {
  package let words: UnsafePointer<UInt64>
  /// Ordinals that the bitmap speaks of: at least the generation's count.
  package let bitCount: Int
  /// Bits that are set, or about: decides between searching and scoring all that pass, and how a search begins. More than
  /// there are titles: not known.
  package let allowedCount: Int
  /// The same in the order of the index, if it was made.
  package let placed: PlacedFilter?

  /// Counts the bits unless `allowedCount` is known, or a quarter of many: less than a microsecond for a million.
  ///
  /// `words` has at least `(bitCount + 63) / 64` words; bits from `bitCount` on are 0. `placed` is of these words and of
  /// the index that is searched.
  package init(
    words: UnsafePointer<UInt64>, bitCount: Int, allowedCount: Int? = nil, placed: PlacedFilter? = nil
  ) {
    self.words = words
    self.bitCount = bitCount
    self.allowedCount = allowedCount ?? Self.count(words, wordCount: (bitCount + 63) / 64)
    self.placed = placed
  }

  /// Words of each ``piece`` that are counted where there are many.
  private static var counted: Int { 64 }
  private static var piece: Int { 256 }

  private static func count(_ words: UnsafePointer<UInt64>, wordCount: Int) -> Int {
    let countBits = mk_active().pointee.count_bits
    let begins = stride(from: 0, to: wordCount - piece + 1, by: piece)
    let about = begins.reduce(0) { $0 + Int(countBits(words + $1, counted)) } * piece / counted
    // Of few it matters how many.
    return about > 4 * PartitionedIndex.filteredExactCountMax
      ? min(about, wordCount * 64) : Int(countBits(words, wordCount))
  }

  package func allows(_ ordinal: UInt32) -> Bool {
    Int(ordinal) < bitCount && words[Int(ordinal >> 6)] >> UInt64(ordinal & 63) & 1 == 1
  }
}

/// Owns a filter's bits in the order in which a base's codes lie: a word a block. A search reads it beside the codes, where
/// looking candidates up by their ordinals costs a fifth of the search when little passes.
///
/// Takes about a millisecond for a million titles, so it is for filters that many requests share. Guard for
/// `@unchecked Sendable`: the words never change after init.
package final class PlacedFilter: @unchecked Sendable {
  let words: UnsafeMutableBufferPointer<UInt64>
  let digest: UInt64

  /// `words` has a bit for each ordinal of the index.
  package init(_ words: UnsafePointer<UInt64>, of index: PartitionedIndex) {
    guard let base = index.parts.first?.index, let lists = base.coded else {
      preconditionFailure("an index has a base")
    }
    digest = base.digest
    self.words = .allocate(capacity: Int(lists.blocks[base.listCount]))
    self.words.initialize(repeating: 0)
    guard let ordinals = base.ordinals.baseAddress, let placed = self.words.baseAddress else { return }
    for list in 0..<base.listCount {
      let begin = Int(base.offsets[list])
      if list % 16 == 0 { LongLoop.giveWay() }
      mk_index_active().pointee.place_allowed(
        ordinals + begin, Int(base.offsets[list + 1]) - begin, words, placed + Int(lists.blocks[list]))
    }
  }

  deinit { words.deallocate() }
}
