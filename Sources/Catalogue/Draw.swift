internal import Base

/// Randomness for one thing that is generated: its own stream, so that any title can be made without those before it.
struct Draw {
  enum Stream: UInt64 { case world = 1, title, text, profile, change, changed, licence }

  private var random: SplitMix

  init(seed: UInt64, stream: Stream, index: Int) {
    var first = SplitMix(seed: seed ^ (stream.rawValue &* 0xd6e8_feb8_6659_fd93))
    var second = SplitMix(seed: first.next() ^ UInt64(truncatingIfNeeded: index))
    random = SplitMix(seed: second.next())
  }

  /// 0 up to but not 1.
  mutating func unit() -> Double { Double(random.next() >> 11) * 0x1p-53 }

  mutating func below(_ count: Int) -> Int {
    Int(truncatingIfNeeded: random.next().multipliedFullWidth(by: UInt64(count)).high)
  }

  /// Below `count`, low numbers more often the higher `exponent` is above 1.
  mutating func skewed(_ count: Int, _ exponent: Double) -> Int {
    min(count - 1, Int(Double(count) * power(unit(), exponent)))
  }

  /// Exponentially distributed.
  mutating func exponential(mean: Double) -> Double { -mean * naturalLog(1 - unit()) }

  /// A word that no language has, of two or three syllables.
  mutating func word() -> String {
    var bytes: [UInt8] = []
    for _ in 0..<(2 + below(2)) {
      bytes.append(contentsOf: Self.onsets[below(Self.onsets.count)])
      bytes.append(Self.vowels[below(Self.vowels.count)])
    }
    if below(3) == 0 { bytes.append(Self.codas[below(Self.codas.count)]) }
    return String(decoding: bytes, as: UTF8.self)
  }

  private static let onsets: [[UInt8]] = [
    "b", "d", "f", "g", "k", "l", "m", "n", "p", "r", "s", "t", "v", "z", "br", "dr", "kr", "tr", "vl", "sk",
    "st", "th", "zh", "qu",
  ].map { Array($0.utf8) }
  private static let vowels = Array("aeiou".utf8)
  private static let codas = Array("nrlskm".utf8)
}
