/// Whether a body is gRPC's.
enum ContentType {
  private static let name = Array("application/grpc".utf8)

  /// `application/grpc` in any case, alone or followed by `+` or `;`.
  static func isGRPC(_ type: ArraySlice<UInt8>) -> Bool {
    let count = name.count
    guard type.count >= count else { return false }
    // In lower case from nearly everybody.
    guard type.starts(with: name) || type.prefix(count).elementsEqual(name, by: { lowercase($0) == $1 })
    else {
      return false
    }
    guard let next = type.dropFirst(count).first else { return true }
    return next == UInt8(ascii: "+") || next == UInt8(ascii: ";")
  }

  private static func lowercase(_ character: UInt8) -> UInt8 {
    (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(character) ? character | 0x20 : character
  }
}
