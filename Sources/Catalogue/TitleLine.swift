/// Writes titles as the JSON lines that `TitleParser` reads: keys in one order, so equal titles are equal bytes.
package enum TitleLine {
  /// Appends the object and a line feed.
  package static func append(_ title: Title, to bytes: inout [UInt8]) {
    bytes.append(ascii: "{\"id\":")
    append(title.id, to: &bytes)
    bytes.append(ascii: ",\"name\":")
    append(title.name, to: &bytes)
    if !title.genres.isEmpty {
      bytes.append(ascii: ",\"genres\":[")
      for (index, genre) in title.genres.enumerated() {
        if index > 0 { bytes.append(UInt8(ascii: ",")) }
        append(genre, to: &bytes)
      }
      bytes.append(UInt8(ascii: "]"))
    }
    if let released = title.released {
      bytes.append(ascii: ",\"released\":\"")
      bytes.append(contentsOf: released.description.utf8)
      bytes.append(UInt8(ascii: "\""))
    }
    if title.maturity > 0 {
      bytes.append(ascii: ",\"maturity\":")
      bytes.append(contentsOf: String(title.maturity).utf8)
    }
    bytes.append(ascii: ",\"licences\":[")
    for (index, licence) in title.licences.enumerated() {
      if index > 0 { bytes.append(UInt8(ascii: ",")) }
      append(licence, to: &bytes)
    }
    bytes.append(UInt8(ascii: "]"))
    if !title.text.isEmpty {
      bytes.append(ascii: ",\"text\":{")
      for (index, key) in title.text.keys.sorted().enumerated() {
        if index > 0 { bytes.append(UInt8(ascii: ",")) }
        append(key, to: &bytes)
        bytes.append(UInt8(ascii: ":"))
        append(title.text[key] ?? "", to: &bytes)
      }
      bytes.append(UInt8(ascii: "}"))
    }
    bytes.append(ascii: "}\n")
  }

  private static func append(_ licence: Licence, to bytes: inout [UInt8]) {
    bytes.append(ascii: "{\"country\":\"")
    bytes.append(contentsOf: licence.country.description.utf8)
    bytes.append(UInt8(ascii: "\""))
    if licence.fromSeconds != Licence.openStart {
      bytes.append(ascii: ",\"from\":\"")
      bytes.append(contentsOf: dateText(licence.fromSeconds).utf8)
      bytes.append(UInt8(ascii: "\""))
    }
    if licence.toSeconds != Licence.openEnd {
      bytes.append(ascii: ",\"to\":\"")
      bytes.append(contentsOf: dateText(licence.toSeconds).utf8)
      bytes.append(UInt8(ascii: "\""))
    }
    bytes.append(UInt8(ascii: "}"))
  }

  private static func append(_ text: String, to bytes: inout [UInt8]) {
    bytes.append(UInt8(ascii: "\""))
    for byte in text.utf8 {
      switch byte {
      case UInt8(ascii: "\""): bytes.append(ascii: "\\\"")
      case UInt8(ascii: "\\"): bytes.append(ascii: "\\\\")
      case 0..<0x20:
        bytes.append(contentsOf: "\\u00\(byte < 16 ? "0" : "1")\(String(byte & 15, radix: 16))".utf8)
      default: bytes.append(byte)
      }
    }
    bytes.append(UInt8(ascii: "\""))
  }
}

extension [UInt8] {
  fileprivate mutating func append(ascii text: StaticString) {
    append(contentsOf: UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
  }
}
