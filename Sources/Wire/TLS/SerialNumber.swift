package import Base
internal import COpenSSL

/// A certificate's serial number: what a list of revoked certificates knows it by. Positive, 20 bytes at most.
package struct SerialNumber: Sendable, Hashable, CustomStringConvertible {
  /// Big-endian, without leading zeros.
  let bytes: [UInt8]

  /// From hexadecimal digits as tools print them: `4F:02…`, `0x4f02…`, `4f02…`.
  package init(_ text: String) throws(Fault) {
    var digits = text.lowercased().filter { $0 != ":" }
    if digits.hasPrefix("0x") { digits.removeFirst(2) }
    if digits.utf8.count % 2 == 1 { digits = "0" + digits }
    let values = digits.utf8.map { Character(UnicodeScalar($0)).hexDigitValue }
    var bytes: [UInt8] = []
    for index in stride(from: 0, to: values.count, by: 2) {
      guard let high = values[index], let low = values[index + 1] else {
        throw Fault(.invalidArgument, "\(text.debugDescription) is no serial number: hexadecimal digits")
      }
      bytes.append(UInt8(high << 4 | low))
    }
    bytes = Array(bytes.drop { $0 == 0 })
    guard !bytes.isEmpty, bytes.count <= 20 else {
      throw Fault(.invalidArgument, "\(text.debugDescription) is no serial number: 1 to 20 bytes")
    }
    self.bytes = bytes
  }

  /// `nil` for one that no authority should give: zero or negative.
  init?(_ integer: UnsafePointer<ASN1_INTEGER>?) {
    guard let integer, ASN1_STRING_type(integer) == V_ASN1_INTEGER, let data = ASN1_STRING_get0_data(integer)
    else { return nil }
    bytes = Array(UnsafeBufferPointer(start: data, count: Int(ASN1_STRING_length(integer))).drop { $0 == 0 })
    if bytes.isEmpty { return nil }
  }

  package var description: String { hexadecimal(bytes) }

  /// The caller frees it.
  func integer() throws(Fault) -> UnsafeMutablePointer<ASN1_INTEGER> {
    guard let number = BN_bin2bn(bytes, Int32(bytes.count), nil) else { preconditionFailure("out of memory") }
    defer { BN_free(number) }
    guard let integer = BN_to_ASN1_INTEGER(number, nil) else {
      throw Fault(.internalError, "can't write a serial number: \(opensslText())")
    }
    return integer
  }
}

func hexadecimal(_ bytes: some Sequence<UInt8>) -> String {
  bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
}
