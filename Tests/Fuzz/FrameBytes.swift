/// HTTP/2 frames written by hand.
enum FrameBytes {
  static let preface = Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8)

  static func frame(type: UInt8, flags: UInt8, stream: Int32, _ payload: [UInt8]) -> [UInt8] {
    [16, 8, 0].map { UInt8(truncatingIfNeeded: payload.count >> $0) } + [type, flags]
      + [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: stream >> $0) } + payload
  }

  static func headers(
    _ fields: [(String, [UInt8])], stream: Int32, endsStream: Bool
  ) -> [UInt8] {
    frame(
      type: 1, flags: endsStream ? 5 : 4, stream: stream, fields.flatMap { literal(Array($0.0.utf8), $0.1) })
  }

  /// HPACK: literal without indexing, name and value as they are.
  static func literal(_ name: [UInt8], _ value: [UInt8]) -> [UInt8] {
    [0] + length(name.count) + name + length(value.count) + value
  }

  private static func length(_ count: Int) -> [UInt8] {
    guard count >= 127 else { return [UInt8(count)] }
    var bytes: [UInt8] = [127]
    var rest = count - 127
    while rest >= 128 {
      bytes.append(UInt8(rest & 127) | 128)
      rest >>= 7
    }
    return bytes + [UInt8(rest)]
  }

  /// With gRPC's prefix.
  static func message(_ bytes: [UInt8], flag: UInt8 = 0) -> [UInt8] {
    [flag] + [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: bytes.count >> $0) } + bytes
  }
}

/// Looks at what we have written: whole frames of sizes that everyone takes, and no stream that goes on after its end.
enum FrameCheck {
  static func check(_ output: [UInt8], fromServer: Bool) {
    var rest = output[...]
    if !fromServer {
      guard rest.starts(with: FrameBytes.preface) else { found("a client without a preface") }
      rest = rest.dropFirst(FrameBytes.preface.count)
    }
    var ended: Set<UInt32> = []
    var continued: UInt32?
    var isFirst = true
    while !rest.isEmpty {
      guard rest.count >= 9 else { found("half a frame's head") }
      let head = Array(rest.prefix(9))
      let count = Int(head[0]) << 16 | Int(head[1]) << 8 | Int(head[2])
      let (type, flags) = (head[3], head[4])
      let stream = head[5...].reduce(0 as UInt32) { $0 << 8 | UInt32($1) }
      guard count <= 16_384, rest.count >= 9 + count else { found("a frame of \(count) bytes") }
      rest = rest.dropFirst(9 + count)
      guard !isFirst || type == 4 else { found("SETTINGS are not first") }
      isFirst = false
      guard continued == nil || (type == 9 && continued == stream) else {
        found("a header block that breaks")
      }
      switch type {
      case 0, 1:
        guard stream > 0, !ended.contains(stream) else { found("stream \(stream) goes on after its end") }
        if flags & 1 != 0 { ended.insert(stream) }
        if type == 1, flags & 4 == 0 { continued = stream }
      case 3: break
      case 4, 6, 7:
        guard stream == 0 else { found("a frame of type \(type) on stream \(stream)") }
      case 8: break
      case 9: if flags & 4 != 0 { continued = nil }
      default: found("a frame of type \(type)")
      }
    }
  }
}
