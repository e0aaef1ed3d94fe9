package import Base

/// The titles that may be shown in one country up to one maturity, as a bitmap over all ordinals, and from when until
/// when that holds.
package struct AllowedTitles: Sendable {
  package let bitmap: Bitmap
  /// Titles allowed.
  package let count: Int
  package let country: CountryCode
  package let maturityMax: UInt8
  package let validFrom: Timestamp
  /// Exclusive: compute it again from here on.
  package let validUntil: Timestamp

  package func isValid(at moment: Timestamp) -> Bool { validFrom <= moment && moment < validUntil }
}

extension CatalogueView {
  /// Live titles licensed in `country` and not above `maturityMax`.
  ///
  /// With `holdingSeconds` 0 the answer is exact at `moment` and valid until the next window opens or closes. In a
  /// large catalogue that is soon, so ask for a bitmap that holds: then only titles licensed throughout the next
  /// `holdingSeconds` are in it, and it is valid that long. It never shows what isn't licensed; a window that opens
  /// meanwhile is seen at the next computation.
  package func allowed(
    country: CountryCode, maturityMax: UInt8, at moment: Timestamp, holdingSeconds: Int64 = 0
  ) -> AllowedTitles {
    precondition(holdingSeconds >= 0)
    let from = moment.milliseconds.flooredQuotient(by: 1000)
    // The last second that has to be covered.
    let through = holdingSeconds == 0 ? from : from + holdingSeconds - 1
    var words = [UInt64](repeating: 0, count: stat.live.count)
    var boundary = Int64.max
    var allowedCount = 0
    for (part, offset) in [(base, 0)] + (tail.map { [($0, base.count)] } ?? []) {
      for local in 0..<part.count {
        let ordinal = offset + local
        if local % LongLoop.stepCount == 0 { LongLoop.giveWay() }
        guard stat.live[ordinal >> 6] >> UInt64(ordinal & 63) & 1 == 1,
          part.facts(local).maturity <= maturityMax,
          part.licences.covers(local, country.word, from: from, through: through, boundary: &boundary)
        else { continue }
        words[ordinal >> 6] |= 1 << UInt64(ordinal & 63)
        allowedCount += 1
      }
    }
    let until = holdingSeconds == 0 ? boundary : from + holdingSeconds
    return AllowedTitles(
      bitmap: Bitmap(count: count, words: words), count: allowedCount, country: country,
      maturityMax: maturityMax, validFrom: moment,
      validUntil: Timestamp(milliseconds: until > Int64.max / 1000 ? Int64.max : until * 1000))
  }
}
