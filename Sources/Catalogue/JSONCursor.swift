/// Walks over one JSON text (RFC 8259) in place, strictly: the schema is fixed, so the caller says what must come.
struct JSONCursor {
  private let bytes: UnsafeRawBufferPointer
  private var position = 0
  /// For text that has escapes; kept between strings.
  private var scratch: [UInt8] = []

  init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

  /// The next byte that is not white space, not taken; `nil` at the end.
  mutating func peek() -> UInt8? {
    while position < bytes.count {
      switch bytes[position] {
      case 0x20, 0x09, 0x0a, 0x0d: position += 1
      default: return bytes[position]
      }
    }
    return nil
  }

  mutating func take(_ character: Unicode.Scalar) throws(LineFault) {
    guard peek() == UInt8(ascii: character) else { throw unexpected("“\(character)”") }
    position += 1
  }

  mutating func takeIf(_ character: Unicode.Scalar) -> Bool {
    guard peek() == UInt8(ascii: character) else { return false }
    position += 1
    return true
  }

  mutating func end() throws(LineFault) {
    guard peek() == nil else { throw unexpected("the end of the line") }
  }

  /// Calls `member` with each key of an object, the cursor on its value.
  mutating func object(
    _ member: (_ key: String, inout JSONCursor) throws(LineFault) -> Void
  ) throws(LineFault) {
    try take("{")
    if takeIf("}") { return }
    repeat {
      guard peek() == UInt8(ascii: "\"") else { throw unexpected("a key in quotes") }
      let key = try string()
      try take(":")
      try member(key, &self)
    } while takeIf(",")
    try take("}")
  }

  /// Calls `element` for each element of an array, the cursor on it.
  mutating func array(_ element: (inout JSONCursor) throws(LineFault) -> Void) throws(LineFault) {
    try take("[")
    if takeIf("]") { return }
    repeat { try element(&self) } while takeIf(",")
    try take("]")
  }

  mutating func string() throws(LineFault) -> String {
    guard peek() == UInt8(ascii: "\"") else { throw unexpected("text in quotes") }
    position += 1
    let start = position
    while position < bytes.count {
      switch bytes[position] {
      case UInt8(ascii: "\""):
        position += 1
        return try text(UnsafeRawBufferPointer(rebasing: bytes[start..<(position - 1)]))
      case UInt8(ascii: "\\"): return try escapedString(from: start)
      case 0..<0x20: throw unexpected("an escape for a control character (as \\n or \\u0009)")
      default: position += 1
      }
    }
    throw LineFault(.badJSON, "ends inside of text; is a quote missing?")
  }

  private mutating func escapedString(from start: Int) throws(LineFault) -> String {
    scratch.removeAll(keepingCapacity: true)
    scratch.append(contentsOf: bytes[start..<position])
    while position < bytes.count {
      let byte = bytes[position]
      position += 1
      switch byte {
      case UInt8(ascii: "\""):
        guard let text = String(validating: scratch, as: UTF8.self) else { throw invalidUTF8() }
        return text
      case UInt8(ascii: "\\"): try escape()
      case 0..<0x20:
        position -= 1
        throw unexpected("an escape for a control character (as \\n or \\u0009)")
      default: scratch.append(byte)
      }
    }
    throw LineFault(.badJSON, "ends inside of text; is a quote missing?")
  }

  private mutating func escape() throws(LineFault) {
    guard position < bytes.count else { throw LineFault(.badJSON, "ends after a backslash") }
    let byte = bytes[position]
    position += 1
    switch byte {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): scratch.append(byte)
    case UInt8(ascii: "b"): scratch.append(0x08)
    case UInt8(ascii: "f"): scratch.append(0x0c)
    case UInt8(ascii: "n"): scratch.append(0x0a)
    case UInt8(ascii: "r"): scratch.append(0x0d)
    case UInt8(ascii: "t"): scratch.append(0x09)
    case UInt8(ascii: "u"):
      let scalar = try unicodeEscape()
      scratch.append(contentsOf: Array(String(Character(scalar)).utf8))
    default:
      position -= 1
      throw unexpected("one of \" \\ / b f n r t u after the backslash")
    }
  }

  private mutating func unicodeEscape() throws(LineFault) -> Unicode.Scalar {
    let first = try fourHexDigits()
    if let scalar = Unicode.Scalar(first) { return scalar }
    // A half of a surrogate pair: the low half must follow the high one.
    if (0xd800..<0xdc00).contains(first), position + 1 < bytes.count,
      bytes[position] == UInt8(ascii: "\\"), bytes[position + 1] == UInt8(ascii: "u")
    {
      position += 2
      let second = try fourHexDigits()
      if (0xdc00..<0xe000).contains(second),
        let scalar = Unicode.Scalar(0x10000 + (first - 0xd800) << 10 + (second - 0xdc00))
      {
        return scalar
      }
    }
    throw LineFault(.badJSON, "column \(position): \\u has half of a surrogate pair")
  }

  private mutating func fourHexDigits() throws(LineFault) -> UInt32 {
    var value: UInt32 = 0
    for _ in 0..<4 {
      guard position < bytes.count, let digit = Character(Unicode.Scalar(bytes[position])).hexDigitValue,
        bytes[position] < 0x80
      else { throw unexpected("four hexadecimal digits after \\u") }
      value = value << 4 | UInt32(digit)
      position += 1
    }
    return value
  }

  /// A whole number. JSON's fractions and exponents are refused: no number here has them.
  mutating func wholeNumber() throws(LineFault) -> Int {
    _ = peek()
    let start = position
    var isNegative = false
    if position < bytes.count, bytes[position] == UInt8(ascii: "-") {
      isNegative = true
      position += 1
    }
    let digits = position
    while position < bytes.count, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(bytes[position]) {
      position += 1
    }
    let isPlain =
      position == bytes.count
      || ![UInt8(ascii: "."), UInt8(ascii: "e"), UInt8(ascii: "E")]
        .contains(bytes[position])
    let hasLeadingZero = position - digits > 1 && bytes[digits] == UInt8(ascii: "0")
    guard isPlain, !hasLeadingZero, let value = decimal(bytes[digits..<position]) else {
      position = start
      throw unexpected("a whole number")
    }
    return isNegative ? -value : value
  }

  /// `null` taken, if it is next.
  mutating func takeNull() -> Bool {
    guard peek() == UInt8(ascii: "n"), bytes[position...].prefix(4).elementsEqual(Array("null".utf8)) else {
      return false
    }
    position += 4
    return true
  }

  private func text(_ slice: UnsafeRawBufferPointer) throws(LineFault) -> String {
    guard let text = String(validating: slice, as: UTF8.self) else { throw invalidUTF8() }
    return text
  }

  private func invalidUTF8() -> LineFault {
    LineFault(.invalidUTF8, "column \(position): has text that is not UTF-8; convert the file to UTF-8")
  }

  mutating func unexpected(_ wanted: String) -> LineFault {
    guard let byte = peek() else { return LineFault(.badJSON, "ends where \(wanted) belongs") }
    let found = byte >= 0x20 && byte < 0x7f ? "“\(Unicode.Scalar(byte))”" : "a byte \(byte)"
    return LineFault(.badJSON, "column \(position + 1): has \(found) where \(wanted) belongs")
  }
}
