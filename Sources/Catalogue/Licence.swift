package import Base

/// A country as licences and requests name it: ISO 3166-1 alpha-2 in 16 bits.
package struct CountryCode: Hashable, Sendable {
  package let word: UInt16

  package init(word: UInt16) { self.word = word }

  /// Licensed in every country. In catalogue lines: `*`.
  package static let everywhere = CountryCode(word: 0)
  /// A viewer whose country isn't known: sees only what is licensed everywhere.
  package static let unknown = CountryCode(word: .max)

  /// Two upper-case ASCII letters, or `*`.
  package init?(_ text: some StringProtocol) {
    let letters = Array(text.utf8)
    if letters == [UInt8(ascii: "*")] {
      self = .everywhere
      return
    }
    guard letters.count == 2, letters.allSatisfy({ (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains($0) })
    else { return nil }
    word = UInt16(letters[0]) << 8 | UInt16(letters[1])
  }

  /// The country of a request; anything that is no country is ``unknown``, which errs to showing less.
  package init(ofRequest text: String) {
    let code = CountryCode(text)
    self = code == nil || code == .everywhere ? .unknown : code ?? .unknown
  }
}

extension CountryCode: CustomStringConvertible {
  package var description: String {
    switch self {
    case .everywhere: "*"
    case .unknown: "unknown"
    default: String(decoding: [UInt8(word >> 8), UInt8(word & 0xff)], as: UTF8.self)
    }
  }
}

/// A right to show a title: in one country or everywhere, from a second (inclusive) to a second (exclusive).
package struct Licence: Hashable, Sendable {
  package static let openStart = Int64.min
  package static let openEnd = Int64.max

  package var country: CountryCode
  /// Seconds since 1970; ``openStart`` for "always was".
  package var fromSeconds: Int64
  /// Seconds since 1970; ``openEnd`` for "until further notice".
  package var toSeconds: Int64

  package init(
    country: CountryCode, fromSeconds: Int64 = Licence.openStart, toSeconds: Int64 = Licence.openEnd
  ) {
    self.country = country
    self.fromSeconds = fromSeconds
    self.toSeconds = toSeconds
  }

  package static let everywhere = Licence(country: .everywhere)

  package func covers(_ country: CountryCode, at moment: Timestamp) -> Bool {
    let seconds = moment.milliseconds.flooredQuotient(by: 1000)
    return (self.country == .everywhere || self.country == country)
      && fromSeconds <= seconds && seconds < toSeconds
  }

  /// The same rights with windows of one country that touch or overlap made one, sorted by country and start.
  static func merged(_ licences: [Licence]) -> [Licence] {
    guard licences.count > 1 else { return licences }
    let sorted = licences.sorted { ($0.country.word, $0.fromSeconds) < ($1.country.word, $1.fromSeconds) }
    var merged: [Licence] = []
    for licence in sorted {
      if let last = merged.last, last.country == licence.country, licence.fromSeconds <= last.toSeconds {
        merged[merged.count - 1].toSeconds = max(last.toSeconds, licence.toSeconds)
      } else {
        merged.append(licence)
      }
    }
    return merged
  }
}

/// `YYYY-MM-DD` (its first second) or `YYYY-MM-DDTHH:MM:SSZ`, as seconds since 1970.
func seconds(_ text: String) -> Int64? {
  let bytes = Array(text.utf8)
  guard bytes.count == 10 || bytes.count == 20, let day = Day(text.prefix(10)) else { return nil }
  if bytes.count == 10 { return day.startSeconds }
  guard bytes[10] == UInt8(ascii: "T"), bytes[13] == UInt8(ascii: ":"), bytes[16] == UInt8(ascii: ":"),
    bytes[19] == UInt8(ascii: "Z"), let hour = decimal(bytes[11..<13]), hour < 24,
    let minute = decimal(bytes[14..<16]), minute < 60, let second = decimal(bytes[17..<19]), second < 60
  else { return nil }
  return day.startSeconds + Int64(hour * 3600 + minute * 60 + second)
}

/// The inverse of ``seconds(_:)``.
func dateText(_ seconds: Int64) -> String {
  let dayNumber = seconds.flooredQuotient(by: 86_400)
  let rest = Int(seconds - dayNumber * 86_400)
  let day = Day(number: Int32(clamping: dayNumber)).description
  if rest == 0 { return day }
  return day + "T" + padded(rest / 3600, 2) + ":" + padded(rest / 60 % 60, 2) + ":" + padded(rest % 60, 2)
    + "Z"
}
