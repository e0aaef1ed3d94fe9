/// Writes protobuf's wire format: proto3, fields with their default value left out.
package struct FieldWriter {
  private(set) var bytes: [UInt8] = []

  mutating func number(_ field: UInt64, _ value: some BinaryInteger) {
    guard value != 0 else { return }
    varint(field << 3)
    varint(UInt64(truncatingIfNeeded: value))
  }

  mutating func flag(_ field: UInt64, _ value: Bool) { number(field, value ? 1 : 0) }

  mutating func double(_ field: UInt64, _ value: Double) {
    guard value.bitPattern != 0 else { return }
    varint(field << 3 | 1)
    for shift in stride(from: UInt64(0), to: 64, by: 8) {
      bytes.append(UInt8(truncatingIfNeeded: value.bitPattern >> shift))
    }
  }

  mutating func data(_ field: UInt64, _ value: some Collection<UInt8>) {
    guard !value.isEmpty else { return }
    varint(field << 3 | 2)
    varint(UInt64(value.count))
    bytes.append(contentsOf: value)
  }

  mutating func text(_ field: UInt64, _ value: String) { data(field, value.utf8) }

  /// Written even when it is empty: its presence says something.
  mutating func message(_ field: UInt64, _ value: (some TestMessage)?) {
    guard let value else { return }
    let inner = value.bytes
    varint(field << 3 | 2)
    varint(UInt64(inner.count))
    bytes.append(contentsOf: inner)
  }

  private mutating func varint(_ value: UInt64) {
    var rest = value
    while rest >= 0x80 {
      bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
      rest >>= 7
    }
    bytes.append(UInt8(rest))
  }
}
