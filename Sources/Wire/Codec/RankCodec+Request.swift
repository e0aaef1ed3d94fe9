internal import Base

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

extension RankCodec {
  /// A request's fields as they travelled, each with its default where it was missing.
  struct RequestFields: Equatable {
    var requestID = ""
    var profileID = ""
    var surface = ""
    var country = ""
    var maturityMax: UInt32 = 0
    var titlesPerRow: UInt32 = 0
    var contextTitleID = ""
    var debug = false
  }

  /// Reads an everyday request in one pass. `nil` when anything about it is out of the ordinary: then protobuf-c reads
  /// it, and says what is wrong if something is.
  static func everydayFields(_ bytes: UnsafeRawBufferPointer) -> RequestFields? {
    var fields = RequestFields()
    var reader = EverydayReader(bytes)
    while let tag = reader.next() {
      switch tag {
      case 1 << 3 | 2: guard reader.text(&fields.requestID) else { return nil }
      case 2 << 3 | 2: guard reader.text(&fields.profileID) else { return nil }
      case 3 << 3 | 2: guard reader.text(&fields.surface) else { return nil }
      case 4 << 3 | 2: guard reader.text(&fields.country) else { return nil }
      case 5 << 3: guard reader.number(&fields.maturityMax) else { return nil }
      case 6 << 3: guard reader.number(&fields.titlesPerRow) else { return nil }
      case 7 << 3 | 2: guard reader.text(&fields.contextTitleID) else { return nil }
      case 8 << 3:
        var value: UInt32 = 0
        guard reader.number(&value) else { return nil }
        fields.debug = value != 0
      default: return nil
      }
    }
    return fields
  }
}

/// Reads protobuf's wire format where each tag and each number takes one byte, or two at most.
private struct EverydayReader {
  private let bytes: UnsafeRawBufferPointer
  private var offset = 0

  init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

  mutating func next() -> UInt8? {
    guard offset < bytes.count else { return nil }
    defer { offset += 1 }
    return bytes[offset]
  }

  mutating func number(_ value: inout UInt32) -> Bool {
    guard let low = next() else { return false }
    guard low >= 0x80 else {
      value = UInt32(low)
      return true
    }
    guard let high = next(), high < 0x80 else { return false }
    value = UInt32(low & 0x7f) | UInt32(high) << 7
    return true
  }

  /// A string, if it is UTF-8 without a NUL and not longer than an id.
  mutating func text(_ value: inout String) -> Bool {
    var count: UInt32 = 0
    guard number(&count), count <= Limits.idByteCountMax, Int(count) <= bytes.count - offset else {
      return false
    }
    let text = UnsafeRawBufferPointer(rebasing: bytes[offset..<offset + Int(count)])
    offset += Int(count)
    guard let start = text.baseAddress, memchr(start, 0, text.count) == nil,
      let valid = String(validating: text.bindMemory(to: UInt8.self), as: UTF8.self)
    else { return false }
    value = valid
    return true
  }
}
