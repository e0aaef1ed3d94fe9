/// What is asked of every candidate of a request, in two words that lie together: a title costs one miss and not three.
package struct TitleFacts: Equatable, Sendable {
  /// Bit `n` is genre `n` of the generation.
  package var genres: UInt64
  package var maturity: UInt8
  /// Days since 1970-01-01; `nil` when it isn't known.
  package var releaseDay: Int32?

  static let wordCount = 2

  package init(genres: UInt64, maturity: UInt8, releaseDay: Int32?) {
    self.genres = genres
    self.maturity = maturity
    self.releaseDay = releaseDay
  }

  /// `words` are the genre set, and the release day below the maturity.
  @inline(__always)
  init(_ words: UnsafePointer<UInt64>) {
    genres = words[0]
    // What no part writes is no age that anybody has.
    maturity = UInt8(clamping: words[1] >> 32)
    let day = Int32(truncatingIfNeeded: words[1])
    releaseDay = day == CataloguePart.unknownDay ? nil : day
  }

  var words: [UInt64] {
    [genres, UInt64(maturity) << 32 | UInt64(UInt32(bitPattern: releaseDay ?? CataloguePart.unknownDay))]
  }
}

/// What ranking reads of a candidate.
package struct TitleSignals: Sendable {
  package var facts = TitleFacts(genres: 0, maturity: 0, releaseDay: nil)
  /// 0 to 1.
  package var popularity: Float = 0
  /// 0 to 1: like popularity, with recent interest counting for more.
  package var trending: Float = 0

  package init() {}
}
