/// HTTP/2 frames written by hand, one behind the other.
struct FrameBytes {
  static let preface = Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8)

  private(set) var bytes: [UInt8] = []

  mutating func clear() { bytes.removeAll(keepingCapacity: true) }

  mutating func append(_ byte: UInt8) { bytes.append(byte) }
  mutating func append(_ more: some Collection<UInt8>) { bytes.append(contentsOf: more) }

  mutating func append32(_ number: UInt32) {
    bytes.append(UInt8(truncatingIfNeeded: number >> 24))
    bytes.append(UInt8(truncatingIfNeeded: number >> 16))
    bytes.append(UInt8(truncatingIfNeeded: number >> 8))
    bytes.append(UInt8(truncatingIfNeeded: number))
  }

  /// A frame with what `payload` writes.
  mutating func frame(type: UInt8, flags: UInt8, stream: Int32, _ payload: (inout FrameBytes) -> Void) {
    let start = bytes.count
    append32(0)
    append(flags)
    append32(UInt32(bitPattern: stream))
    payload(&self)
    let count = bytes.count - start - 9
    bytes[start] = UInt8(truncatingIfNeeded: count >> 16)
    bytes[start + 1] = UInt8(truncatingIfNeeded: count >> 8)
    bytes[start + 2] = UInt8(truncatingIfNeeded: count)
    bytes[start + 3] = type
  }

  mutating func frame(type: UInt8, flags: UInt8, stream: Int32, _ payload: some Collection<UInt8>) {
    frame(type: type, flags: flags, stream: stream) { $0.append(payload) }
  }

  /// A frame whose payload is one number.
  mutating func frame(type: UInt8, flags: UInt8 = 0, stream: Int32, number: UInt32) {
    frame(type: type, flags: flags, stream: stream) { $0.append32(number) }
  }

  mutating func settings(flags: UInt8 = 0) { frame(type: 4, flags: flags, stream: 0) { _ in } }

  /// A message with gRPC's prefix, in a DATA frame of its own.
  mutating func data(
    _ message: some Collection<UInt8>, flag: UInt8 = 0, stream: Int32, endsStream: Bool
  ) {
    frame(type: 0, flags: endsStream ? 1 : 0, stream: stream) { $0.message(message, flag: flag) }
  }

  mutating func message(_ message: some Collection<UInt8>, flag: UInt8 = 0) {
    append(flag)
    append32(UInt32(message.count))
    append(message)
  }

  /// HPACK: literal without indexing, name and value as they are.
  mutating func literal(_ name: StaticString, _ value: some Collection<UInt8>) {
    append(0)
    appendLength(name.utf8CodeUnitCount)
    append(UnsafeBufferPointer(start: name.utf8Start, count: name.utf8CodeUnitCount))
    appendLength(value.count)
    append(value)
  }

  mutating func literal(_ name: StaticString, _ value: StaticString) {
    literal(name, UnsafeBufferPointer(start: value.utf8Start, count: value.utf8CodeUnitCount))
  }

  private mutating func appendLength(_ count: Int) {
    guard count >= 127 else { return append(UInt8(count)) }
    append(127)
    var rest = count - 127
    while rest >= 128 {
      append(UInt8(rest & 127) | 128)
      rest >>= 7
    }
    append(UInt8(rest))
  }
}
