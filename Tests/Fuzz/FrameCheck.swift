/// Looks at what we have written: whole frames of sizes that everyone takes, and no stream that goes on after its end.
enum FrameCheck {
  static func check(_ output: [UInt8], fromServer: Bool) {
    output.withUnsafeBufferPointer { check($0, fromServer: fromServer) }
  }

  private static func check(_ output: UnsafeBufferPointer<UInt8>, fromServer: Bool) {
    var start = 0
    if !fromServer {
      start = FrameBytes.preface.count
      guard output.starts(with: FrameBytes.preface) else { found("a client without a preface") }
    }
    var ended: [UInt32] = []
    var continued: UInt32?
    var isFirst = true
    while start < output.count {
      guard output.count - start >= 9 else { found("half a frame's head") }
      let count = Int(output[start]) << 16 | Int(output[start + 1]) << 8 | Int(output[start + 2])
      let (type, flags) = (output[start + 3], output[start + 4])
      let stream = output[start + 5..<start + 9].reduce(0 as UInt32) { $0 << 8 | UInt32($1) }
      guard count <= 16_384, output.count - start >= 9 + count else { found("a frame of \(count) bytes") }
      start += 9 + count
      guard !isFirst || type == 4 else { found("SETTINGS are not first") }
      isFirst = false
      guard continued == nil || (type == 9 && continued == stream) else {
        found("a header block that breaks")
      }
      switch type {
      case 0, 1:
        guard stream > 0, !ended.contains(stream) else { found("stream \(stream) goes on after its end") }
        if flags & 1 != 0 { ended.append(stream) }
        if type == 1, flags & 4 == 0 { continued = stream }
      case 3, 8: break
      case 4, 6, 7:
        guard stream == 0 else { found("a frame of type \(type) on stream \(stream)") }
      case 9: if flags & 4 != 0 { continued = nil }
      default: found("a frame of type \(type)")
      }
    }
  }
}
