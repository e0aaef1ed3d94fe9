internal import Base

/// Reads JSON value by value, without a tree of it in memory. Refusals say the byte and the way to it.
struct JSONScanner {
  private let bytes: UnsafeRawBufferPointer
  private let name: String
  private var position = 0
  private var path: [String] = []

  static let depthMax = 64
  static let stringByteCountMax = 1 << 20

  init(_ bytes: UnsafeRawBufferPointer, name: String) {
    self.bytes = bytes
    self.name = name
  }

  var place: String {
    "\(name) byte \(position)" + (path.isEmpty ? "" : " (\(path.joined(separator: ".").excerpt(200)))")
  }

  func refusal(_ message: String, _ code: Refusal.Code = .malformed) -> Refusal {
    position >= bytes.count
      ? Refusal(.truncated, at: place, "is the end of the file, in the middle of a value")
      : Refusal(code, at: place, message)
  }

  private mutating func skipSpace() {
    while position < bytes.count, [0x20, 0x09, 0x0a, 0x0d].contains(bytes[position]) { position += 1 }
  }

  /// The next byte that isn't space, which stays where it is.
  mutating func peek() throws(Refusal) -> UInt8 {
    skipSpace()
    guard position < bytes.count else { throw refusal("") }
    return bytes[position]
  }

  private mutating func expect(_ byte: UInt8) throws(Refusal) {
    guard try peek() == byte else {
      throw refusal("has no \"\(Character(Unicode.Scalar(byte)))\" where one belongs")
    }
    position += 1
  }

  /// Calls `body` at each value of an object; it must read the value.
  mutating func object(_ body: (String, inout JSONScanner) throws(Refusal) -> Void) throws(Refusal) {
    try expect(UInt8(ascii: "{"))
    guard path.count < Self.depthMax else { throw refusal("is nested too deep", .limitExceeded) }
    if try peek() == UInt8(ascii: "}") {
      position += 1
      return
    }
    while true {
      let key = try string()
      try expect(UInt8(ascii: ":"))
      path.append(key)
      try body(key, &self)
      path.removeLast()
      guard try isMore(UInt8(ascii: "}")) else { return }
    }
  }

  /// Calls `body` at each value of an array; it must read the value.
  mutating func array(_ body: (Int, inout JSONScanner) throws(Refusal) -> Void) throws(Refusal) {
    try expect(UInt8(ascii: "["))
    guard path.count < Self.depthMax else { throw refusal("is nested too deep", .limitExceeded) }
    if try peek() == UInt8(ascii: "]") {
      position += 1
      return
    }
    var index = 0
    path.append("")
    while true {
      path[path.count - 1] = "\(index)"
      try body(index, &self)
      guard try isMore(UInt8(ascii: "]")) else { break }
      index += 1
    }
    path.removeLast()
  }

  private mutating func isMore(_ end: UInt8) throws(Refusal) -> Bool {
    let byte = try peek()
    guard byte == end || byte == UInt8(ascii: ",") else {
      throw refusal("has neither a comma nor an end where one belongs")
    }
    position += 1
    return byte != end
  }

  mutating func string() throws(Refusal) -> String {
    try expect(UInt8(ascii: "\""))
    var text: [UInt8] = []
    while true {
      guard position < bytes.count else { throw refusal("") }
      let byte = bytes[position]
      position += 1
      if byte == UInt8(ascii: "\"") { break }
      guard text.count < Self.stringByteCountMax else {
        throw refusal("has too long a string", .limitExceeded)
      }
      if byte == UInt8(ascii: "\\") { try escape(into: &text) } else { text.append(byte) }
    }
    guard let string = String(validating: text, as: UTF8.self) else { throw refusal("is not UTF-8") }
    return string
  }

  private mutating func escape(into text: inout [UInt8]) throws(Refusal) {
    guard position < bytes.count else { throw refusal("") }
    let byte = bytes[position]
    position += 1
    let plain: [UInt8: UInt8] = [
      0x22: 0x22, 0x5c: 0x5c, 0x2f: 0x2f, 0x62: 0x08, 0x66: 0x0c, 0x6e: 0x0a, 0x72: 0x0d, 0x74: 0x09,
    ]
    if let value = plain[byte] { return text.append(value) }
    guard byte == UInt8(ascii: "u"), position + 4 <= bytes.count,
      let code = UInt32(String(decoding: bytes[position..<position + 4], as: UTF8.self), radix: 16)
    else { throw refusal("has an escape that JSON does not know") }
    position += 4
    // Halves of a pair are names of features at most: they become the sign for what can't be shown.
    text += Array(String(Character(Unicode.Scalar(code) ?? "\u{fffd}")).utf8)
  }

  /// A number, or `true` and `false` as 1 and 0.
  mutating func number() throws(Refusal) -> Double {
    _ = try peek()
    let begin = position
    while position < bytes.count, position - begin < 64, Self.isWord(bytes[position]) { position += 1 }
    let word = String(decoding: bytes[begin..<position], as: UTF8.self)
    if word == "true" { return 1 }
    if word == "false" { return 0 }
    guard let first = word.utf8.first, first == UInt8(ascii: "-") || Self.isDigit(first),
      let value = Double(word), value.isFinite
    else {
      position = begin
      throw refusal("has no finite number where one belongs")
    }
    return value
  }

  private static func isDigit(_ byte: UInt8) -> Bool { (0x30...0x39).contains(byte) }

  private static func isWord(_ byte: UInt8) -> Bool {
    isDigit(byte) || (0x41...0x5a).contains(byte) || (0x61...0x7a).contains(byte)
      || [0x2b, 0x2d, 0x2e].contains(byte)
  }

  mutating func integer(_ range: ClosedRange<Int>) throws(Refusal) -> Int {
    let value = try number()
    guard let integer = Int(exactly: value), range.contains(integer) else {
      throw refusal("comes after \(value), which is no whole number in \(range)", .limitExceeded)
    }
    return integer
  }

  /// Passes over a value of any kind.
  mutating func skip() throws(Refusal) {
    switch try peek() {
    case UInt8(ascii: "{"): try object { (_, scanner) throws(Refusal) in try scanner.skip() }
    case UInt8(ascii: "["): try array { (_, scanner) throws(Refusal) in try scanner.skip() }
    case UInt8(ascii: "\""): _ = try string()
    case UInt8(ascii: "n"):
      guard bytes[position...].prefix(4).elementsEqual("null".utf8) else { throw refusal("is no value") }
      position += 4
    default: _ = try number()
    }
  }

  /// Nothing but space may follow.
  mutating func end() throws(Refusal) {
    skipSpace()
    guard position == bytes.count else { throw refusal("has something after the last value") }
  }
}
