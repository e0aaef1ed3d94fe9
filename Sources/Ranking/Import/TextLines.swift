internal import Base

/// Lines of a text file and their numbers, one after the other, without a copy of the file.
struct TextLines {
  let bytes: UnsafeRawBufferPointer
  let name: String
  private var position = 0
  /// Of the line that was read last; the first is 1.
  private(set) var number = 0

  /// A line of more bytes is nobody's: thresholds of a tree of 65,536 leaves take a megabyte or two.
  static let byteCountMax = 16 << 20

  init(_ bytes: UnsafeRawBufferPointer, name: String) {
    self.bytes = bytes
    self.name = name
  }

  var place: String { "\(name) line \(number)" }

  /// The next line without its end; `nil` at the end of the file.
  mutating func next() throws(Refusal) -> UnsafeRawBufferPointer? {
    guard position < bytes.count else { return nil }
    number += 1
    let rest = UnsafeRawBufferPointer(rebasing: bytes[position...])
    let end = rest.firstIndex(of: UInt8(ascii: "\n")) ?? rest.count
    guard end <= Self.byteCountMax else {
      throw Refusal(.limitExceeded, at: place, "is longer than \(Self.byteCountMax) bytes")
    }
    position += min(end + 1, rest.count)
    let isCarriage = end > 0 && rest[end - 1] == UInt8(ascii: "\r")
    return UnsafeRawBufferPointer(rebasing: rest[0..<(isCarriage ? end - 1 : end)])
  }
}

/// A line's value: words with spaces between them, and where it stands.
struct TextValue {
  let bytes: UnsafeRawBufferPointer
  let place: String

  var text: String { String(decoding: bytes, as: UTF8.self) }

  /// Exactly `count` words, each made into a value.
  func words<Value>(
    _ count: Int, of what: String, _ make: (UnsafeRawBufferPointer) -> Value?
  ) throws(Refusal) -> [Value] {
    var values: [Value] = []
    values.reserveCapacity(min(count, bytes.count / 2 + 1))
    var begin = 0
    while begin < bytes.count {
      let rest = bytes[begin...]
      let end = rest.firstIndex(of: UInt8(ascii: " ")) ?? bytes.count
      if end > begin {
        guard let value = make(UnsafeRawBufferPointer(rebasing: bytes[begin..<end])) else {
          let word = String(decoding: bytes[begin..<min(end, begin + 40)], as: UTF8.self)
          throw Refusal(.malformed, at: place, "has \"\(word)\" where \(what) belongs")
        }
        values.append(value)
        guard values.count <= count else { break }
      }
      begin = end + 1
    }
    guard values.count == count else {
      throw Refusal(
        .malformed, at: place,
        "has \(values.count > count ? "more than \(count)" : "\(values.count)") values of \(what) where \(count) belong"
      )
    }
    return values
  }

  func integers(_ count: Int) throws(Refusal) -> [Int] {
    try words(count, of: "a whole number") { Int(String(decoding: $0, as: UTF8.self)) }
  }

  /// Numbers in double precision, finite or, where `infinite`, at least numbers.
  func numbers(_ count: Int, infinite: Bool = false) throws(Refusal) -> [Double] {
    try words(count, of: "a number") { word in
      guard word.count <= 64, let value = Double(String(decoding: word, as: UTF8.self)),
        infinite ? !value.isNaN : value.isFinite
      else { return nil }
      return value
    }
  }

  func integer(_ range: ClosedRange<Int>, _ what: String) throws(Refusal) -> Int {
    let value = try integers(1)[0]
    guard range.contains(value) else {
      throw Refusal(.limitExceeded, at: place, "says \(value) \(what), outside of \(range)")
    }
    return value
  }
}
