internal import Base

/// Writes one protobuf message in its one canonical form. The caller gives the fields in order of their numbers;
/// defaults are left out here.
struct FieldWriter {
  private(set) var bytes: [UInt8] = []

  mutating func number(_ field: UInt64, _ value: UInt64) {
    guard value != 0 else { return }
    varint(field << 3)
    varint(value)
  }

  mutating func flag(_ field: UInt64, _ value: Bool) { number(field, value ? 1 : 0) }

  mutating func text(_ field: UInt64, _ value: String) { block(field, value.utf8) }

  mutating func digest(_ field: UInt64, _ value: Digest) { block(field, value.bytes) }

  mutating func message(_ field: UInt64, _ value: FieldWriter) { block(field, value.bytes) }

  private mutating func block(_ field: UInt64, _ value: some Collection<UInt8>) {
    guard !value.isEmpty else { return }
    varint(field << 3 | 2)
    varint(UInt64(value.count))
    bytes.append(contentsOf: value)
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
