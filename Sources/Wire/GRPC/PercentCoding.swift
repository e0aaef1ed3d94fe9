/// The percent-encoding of `grpc-message`: UTF-8, with everything but printable ASCII, and `%` itself, as `%XX`; also a
/// space at either end, which HTTP/2 forbids in a field's value, so that peers may drop the field.
enum PercentCoding {
  private static let escapedSpace = Array("%20".utf8)

  /// At most `limit` bytes long, cut between characters.
  static func encode(_ text: String, limit: Int = 4096) -> [UInt8] {
    let digits = Array("0123456789ABCDEF".utf8)
    var encoded: [UInt8] = []
    for character in text.unicodeScalars {
      let start = encoded.count
      if start == 0, character == " " {
        encoded += escapedSpace
        continue
      }
      for byte in UTF8.encode(character) ?? UTF8.encodedReplacementCharacter {
        if (0x20...0x7e).contains(byte), byte != UInt8(ascii: "%") {
          encoded.append(byte)
        } else {
          encoded.append(UInt8(ascii: "%"))
          encoded.append(digits[Int(byte >> 4)])
          encoded.append(digits[Int(byte & 15)])
        }
      }
      if encoded.count > limit {
        encoded.removeSubrange(start...)
        break
      }
    }
    if encoded.last == UInt8(ascii: " ") {
      encoded.removeLast()
      encoded += escapedSpace
    }
    return encoded
  }

  /// Never fails: a `%` that two hexadecimal digits don't follow stands for itself, and what isn't UTF-8 becomes U+FFFD.
  static func decode(_ text: ArraySlice<UInt8>) -> String {
    var bytes: [UInt8] = []
    var index = text.startIndex
    while index < text.endIndex {
      if text[index] == UInt8(ascii: "%"), index + 2 < text.endIndex, let high = nibble(text[index + 1]),
        let low = nibble(text[index + 2])
      {
        bytes.append(high << 4 | low)
        index += 3
      } else {
        bytes.append(text[index])
        index += 1
      }
    }
    return String(decoding: bytes, as: UTF8.self)
  }

  private static func nibble(_ character: UInt8) -> UInt8? {
    switch character {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): character - UInt8(ascii: "0")
    case UInt8(ascii: "a")...UInt8(ascii: "f"): character - UInt8(ascii: "a") + 10
    case UInt8(ascii: "A")...UInt8(ascii: "F"): character - UInt8(ascii: "A") + 10
    default: nil
    }
  }
}
