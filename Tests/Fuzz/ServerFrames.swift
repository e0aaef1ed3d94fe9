/// A script of frames and bytes, time and back-pressure, against a server's connection.
func fuzzServerFrames(_ input: [UInt8]) {
  var bytes = FuzzBytes(input)
  let harness = ServerHarness()
  if bytes.byte() & 1 == 0 {
    harness.receive(FrameBytes.preface + FrameBytes.frame(type: 4, flags: 0, stream: 0, []))
  }
  var next: Int32 = 1
  while !bytes.isAtEnd, harness.isOpen {
    let step = bytes.byte()
    switch step & 15 {
    case 0, 1: harness.receive(bytes.bytes())
    case 2:
      // Every type, and those that nobody knows.
      let (type, flags, stream) = (bytes.byte(), bytes.byte(), Int32(bytes.byte() & 15))
      harness.receive(FrameBytes.frame(type: type, flags: flags, stream: stream, bytes.bytes()))
    case 3, 4, 5:
      harness.receive(request(&bytes, stream: next, endsStream: step & 16 != 0))
      next += 2
    case 6, 7:
      let back = Int32(bytes.byte() & 3) * 2
      let stream = max(1, next - 2 - back)
      harness.receive(
        FrameBytes.frame(
          type: 0, flags: step >> 4 & 1, stream: stream,
          FrameBytes.message(bytes.bytes(), flag: step >> 5 & 1)))
    case 8:
      harness.receive(
        FrameBytes.frame(type: 0, flags: step >> 4 & 1, stream: max(1, next - 2), bytes.bytes()))
    case 9: harness.receive(FrameBytes.frame(type: 8, flags: 0, stream: 0, [0, 0, bytes.byte(), 255]))
    case 10:
      let stream = max(1, next - 2 - Int32(bytes.byte() & 3) * 2)
      harness.receive(FrameBytes.frame(type: 3, flags: 0, stream: stream, [0, 0, 0, bytes.byte()]))
    case 11: harness.advance(milliseconds: Int64(bytes.byte()) * 100)
    case 12: harness.setWritable(step & 16 != 0)
    case 13: harness.calls.answer(Int(bytes.byte() & 3) + 1)
    case 14:
      // A message cut into bytes of their own reads.
      let frame = FrameBytes.frame(
        type: 0, flags: 1, stream: max(1, next - 2), FrameBytes.message(bytes.take(8)))
      for byte in frame { harness.receive([byte]) }
    default: if step & 16 != 0 { harness.drain() } else { harness.receive(ackPing) }
    }
  }
  harness.finish()
  FrameCheck.check(harness.output, fromServer: true)
}

/// The answer to the PING of a drain.
private let ackPing = FrameBytes.frame(type: 6, flags: 1, stream: 0, [UInt8](repeating: 0, count: 8))

/// A request's headers: mostly as they should be, with what the input adds.
private func request(_ bytes: inout FuzzBytes, stream: Int32, endsStream: Bool) -> [UInt8] {
  let path = FuzzMethods.paths[Int(bytes.byte()) % FuzzMethods.paths.count]
  let extras = bytes.byte()
  var fields: [(String, [UInt8])] = [
    (":method", Array("POST".utf8)), (":scheme", Array("http".utf8)), (":path", Array(path.utf8)),
    (":authority", Array("f".utf8)), ("te", Array("trailers".utf8)),
    ("content-type", Array("application/grpc".utf8)),
  ]
  if extras & 1 != 0 { fields.append(("grpc-timeout", bytes.take(3))) }
  if extras & 2 != 0 { fields.append(("grpc-encoding", Array("gzip".utf8))) }
  if extras & 4 != 0 { fields.append(("grpc-accept-encoding", Array("identity, gzip".utf8))) }
  if extras & 8 != 0 { fields.append(("x-some-bin", bytes.take(6))) }
  if extras & 16 != 0 { fields.append(("x-text", bytes.take(4))) }
  var payload = fields.flatMap { FrameBytes.literal(Array($0.0.utf8), $0.1) }
  if extras & 32 != 0 { payload += bytes.bytes() }
  // Without END_HEADERS now and then.
  let flags: UInt8 = (endsStream ? 1 : 0) | (extras & 0xc0 == 0xc0 ? 0 : 4)
  return FrameBytes.frame(type: 1, flags: flags, stream: stream, payload)
}
