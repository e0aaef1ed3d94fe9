internal import CKernels

/// Which ordinals of a generation a search may return: a bitmap over all parts, 1 is allowed.
///
/// Dead ordinals must be 0 in it. The words are the caller's, and must outlive the search.
package struct OrdinalFilter {
  package let words: UnsafePointer<UInt64>
  /// Ordinals that the bitmap speaks of: at least the generation's count.
  package let bitCount: Int
  /// Bits that are set, or about: decides between searching and scoring all that pass.
  package let allowedCount: Int

  /// Counts the bits unless `allowedCount` is known: about 5 µs for a million.
  ///
  /// `words` has at least `(bitCount + 63) / 64` words; bits from `bitCount` on are 0.
  package init(words: UnsafePointer<UInt64>, bitCount: Int, allowedCount: Int? = nil) {
    self.words = words
    self.bitCount = bitCount
    self.allowedCount = allowedCount ?? Int(mk_active().pointee.count_bits(words, (bitCount + 63) / 64))
  }

  package func allows(_ ordinal: UInt32) -> Bool {
    Int(ordinal) < bitCount && words[Int(ordinal >> 6)] >> UInt64(ordinal & 63) & 1 == 1
  }
}
