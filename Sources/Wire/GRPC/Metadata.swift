/// The custom metadata of a call, in order; names are lower case and may repeat.
///
/// A name that ends in `-bin` has bytes for its value (base64 on the wire); any other has printable ASCII.
package struct Metadata: Sendable, Equatable {
  package enum Value: Sendable, Equatable {
    case text(String)
    case bytes([UInt8])
  }

  package struct Entry: Sendable, Equatable {
    package var name: String
    package var value: Value
  }

  package private(set) var entries: [Entry] = []

  package init() {}

  package init(_ fields: [String: String]) {
    for (name, value) in fields.sorted(by: { $0.key < $1.key }) { append(name, value) }
  }

  package var isEmpty: Bool { entries.isEmpty }

  /// `name` without `-bin`. Characters of the value that are not printable ASCII travel as `?`; spaces at either end don't
  /// travel.
  /// A name that metadata can't have (see ``isName(_:)``) is left out.
  package mutating func append(_ name: String, _ value: String) {
    let name = name.lowercased()
    guard Self.isName(name), !name.hasSuffix("-bin") else { return }
    let value = Self.trimmed(value)
    let isPlain = value.utf8.allSatisfy { (0x20...0x7e).contains($0) }
    let text =
      isPlain
      ? value
      : String(
        String.UnicodeScalarView(value.unicodeScalars.map { (0x20...0x7e).contains($0.value) ? $0 : "?" }))
    entries.append(Entry(name: name, value: .text(text)))
  }

  /// HTTP/2 forbids spaces there, and peers drop a field that has them.
  private static func trimmed(_ value: String) -> String {
    guard value.utf8.first == UInt8(ascii: " ") || value.utf8.last == UInt8(ascii: " ") else { return value }
    let start = value.unicodeScalars.drop { $0 == " " }
    return String(
      start[..<(start.lastIndex { $0 != " " }.map { start.index(after: $0) } ?? start.startIndex)])
  }

  /// `name` ends in `-bin`; otherwise the entry is left out.
  package mutating func append(_ name: String, bytes: [UInt8]) {
    let name = name.lowercased()
    guard Self.isName(name), name.hasSuffix("-bin") else { return }
    entries.append(Entry(name: name, value: .bytes(bytes)))
  }

  package mutating func append(contentsOf other: Metadata) { entries.append(contentsOf: other.entries) }

  /// The first text value of this name.
  package subscript(_ name: String) -> String? { texts(name).first }

  package func texts(_ name: String) -> [String] {
    let name = name.lowercased()
    return entries.compactMap { entry in
      if entry.name == name, case .text(let text) = entry.value { text } else { nil }
    }
  }

  /// The values of a `-bin` name.
  package func bytes(_ name: String) -> [[UInt8]] {
    let name = name.lowercased()
    return entries.compactMap { entry in
      if entry.name == name, case .bytes(let bytes) = entry.value { bytes } else { nil }
    }
  }

  /// Whether custom metadata may have this name: `0-9 a-z _ - .`, and not one that gRPC or HTTP/2 keeps for itself.
  package static func isName(_ name: String) -> Bool {
    guard !name.isEmpty, !isReserved(name) else { return false }
    return name.utf8.allSatisfy {
      switch $0 {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"),
        UInt8(ascii: "-"), UInt8(ascii: "."):
        true
      default: false
      }
    }
  }

  private static func isReserved(_ name: String) -> Bool {
    switch name {
    case "te", "content-type", "connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade",
      "host",
      "content-length":
      true
    case "grpc-previous-rpc-attempts", "grpc-retry-pushback-ms", "grpc-status-details-bin": false
    default: name.hasPrefix("grpc-")
    }
  }
}

extension Metadata {
  /// The custom metadata among `block`'s fields. Base64 that can't be read was refused before, or is left out.
  init(decoding block: HeaderBlock) {
    for index in block.indices {
      let name = block.name(index)
      guard name.first != UInt8(ascii: ":") else { continue }
      let text = String(decoding: name, as: UTF8.self)
      guard !Self.isReserved(text) else { continue }
      let value = block.value(index)
      guard text.hasSuffix("-bin") else {
        entries.append(Entry(name: text, value: .text(String(decoding: value, as: UTF8.self))))
        continue
      }
      for part in value.split(separator: UInt8(ascii: ","), omittingEmptySubsequences: false) {
        guard let bytes = Base64.decode(part) else { continue }
        entries.append(Entry(name: text, value: .bytes(bytes)))
      }
    }
  }

  func encode(into block: inout HeaderBlock) {
    for entry in entries {
      switch entry.value {
      case .text(let text): block.append(name: entry.name, value: text.utf8)
      case .bytes(let bytes): block.append(name: entry.name, value: Base64.encode(bytes))
      }
    }
  }

  /// Whether every `-bin` value of the block is base64.
  static func hasReadableBytes(_ block: HeaderBlock) -> Bool {
    for index in block.indices where block.name(index).suffix(4).elementsEqual("-bin".utf8) {
      for part in block.value(index).split(separator: UInt8(ascii: ","), omittingEmptySubsequences: false) {
        guard Base64.decode(part) != nil else { return false }
      }
    }
    return true
  }
}
