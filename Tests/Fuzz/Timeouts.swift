@testable import Wire

/// `grpc-timeout` against a slow twin, and back.
func fuzzTimeouts(_ input: [UInt8]) {
  let decoded = CallTimeout.decode(input[...])
  if decoded != slowTimeout(input) { found("timeout \(input): \(String(describing: decoded))") }
  if let decoded {
    let again = CallTimeout.decode(Array(CallTimeout.encode(nanoseconds: decoded).utf8)[...])
    guard let again, again >= decoded, again - decoded <= decoded / 100_000 + 1 else {
      found("\(decoded) ns come back as \(String(describing: again))")
    }
  }
  guard input.count >= 8 else { return }
  let nanoseconds = input.prefix(8).reduce(0 as UInt64) { $0 << 8 | UInt64($1) }
  let text = CallTimeout.encode(nanoseconds: nanoseconds)
  guard text.utf8.count <= 9, let back = CallTimeout.decode(Array(text.utf8)[...]), back >= nanoseconds else {
    found("\(nanoseconds) ns are written \(text)")
  }
}

private func slowTimeout(_ input: [UInt8]) -> UInt64? {
  let units: [Character: Double] = ["H": 3600e9, "M": 60e9, "S": 1e9, "m": 1e6, "u": 1e3, "n": 1]
  let text = input.map { Character(UnicodeScalar($0)) }
  guard let last = text.last, let scale = units[last], (2...9).contains(text.count) else { return nil }
  let digits = text.dropLast()
  guard digits.allSatisfy({ $0.isASCII && $0.isNumber }), let value = UInt64(String(digits)) else {
    return nil
  }
  return Double(value) * scale >= 0x1p64 ? .max : value * UInt64(scale)
}
