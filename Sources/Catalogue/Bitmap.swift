/// A set of ordinals, one bit each.
package struct Bitmap: Equatable, Sendable {
  package let count: Int
  package private(set) var words: [UInt64]

  package init(count: Int, filled: Bool = false) {
    self.count = count
    words = [UInt64](repeating: filled ? .max : 0, count: (count + 63) / 64)
    if filled, count % 64 != 0 { words[words.count - 1] = (1 << UInt64(count % 64)) - 1 }
  }

  init(count: Int, words: [UInt64]) {
    precondition(words.count == (count + 63) / 64)
    self.count = count
    self.words = words
  }

  package subscript(ordinal: Int) -> Bool {
    get { words[ordinal >> 6] >> UInt64(ordinal & 63) & 1 == 1 }
    set {
      if newValue {
        words[ordinal >> 6] |= 1 << UInt64(ordinal & 63)
      } else {
        words[ordinal >> 6] &= ~(1 << UInt64(ordinal & 63))
      }
    }
  }

  package var setCount: Int { words.reduce(0) { $0 + $1.nonzeroBitCount } }
}
