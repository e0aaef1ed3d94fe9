/// `grpc-timeout` of one request: a positive integer of at most 8 digits and a unit.
enum CallTimeout: Equatable {
  case none
  case nanoseconds(UInt64)
  case malformed

  init(decoding text: UnsafeBufferPointer<UInt8>) {
    self = Self.decode(text).map { .nanoseconds($0) } ?? .malformed
  }

  /// Nanoseconds; `nil` when it is malformed.
  static func decode(_ text: some BidirectionalCollection<UInt8>) -> UInt64? {
    guard let unit = text.last, (2...9).contains(text.count) else { return nil }
    var value: UInt64 = 0
    for character in text.dropLast() {
      guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(character) else { return nil }
      value = value * 10 + UInt64(character - UInt8(ascii: "0"))
    }
    // Eight digits of hours are 3.6e20 nanoseconds, more than fit: for ever is as good.
    guard let scale = nanoseconds(of: unit) else { return nil }
    let (product, overflow) = value.multipliedReportingOverflow(by: scale)
    return overflow ? .max : product
  }

  /// In the finest unit that 8 digits can hold, rounded up.
  static func encode(nanoseconds: UInt64) -> String {
    for (unit, scale) in units {
      let value = nanoseconds / scale + (nanoseconds % scale == 0 ? 0 : 1)
      if value <= 99_999_999 { return "\(value)\(unit)" }
    }
    return "99999999H"
  }

  private static let units: [(Character, UInt64)] = [
    ("n", 1), ("u", 1_000), ("m", 1_000_000), ("S", 1_000_000_000), ("M", 60_000_000_000),
    ("H", 3_600_000_000_000),
  ]

  private static func nanoseconds(of unit: UInt8) -> UInt64? {
    switch unit {
    case UInt8(ascii: "H"): 3_600_000_000_000
    case UInt8(ascii: "M"): 60_000_000_000
    case UInt8(ascii: "S"): 1_000_000_000
    case UInt8(ascii: "m"): 1_000_000
    case UInt8(ascii: "u"): 1_000
    case UInt8(ascii: "n"): 1
    default: nil
    }
  }
}
