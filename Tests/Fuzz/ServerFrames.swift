/// A script of frames and bytes, time and back-pressure, against a server's connection.
func fuzzServerFrames(_ input: [UInt8]) {
  var bytes = FuzzBytes(input)
  let harness = ServerHarness()
  if bytes.byte() & 1 == 0 {
    harness.receive { frames in
      frames.append(FrameBytes.preface)
      frames.settings()
    }
  }
  var next: Int32 = 1
  for _ in 0..<Harness.stepsMax where !bytes.isAtEnd && harness.isOpen { takeStep(harness, &bytes, &next) }
  harness.finish()
}

/// `next` is the number of the stream that the next request opens.
private func takeStep(_ harness: ServerHarness, _ bytes: inout FuzzBytes, _ next: inout Int32) {
  let step = bytes.byte()
  let last = max(1, next - 2)
  switch step & 15 {
  case 0, 1: harness.receive { $0.append(bytes.bytes()) }
  case 2:
    // Every type, and those that nobody knows.
    let (type, flags, stream) = (bytes.byte(), bytes.byte(), Int32(bytes.byte() & 15))
    harness.receive { $0.frame(type: type, flags: flags, stream: stream, bytes.bytes()) }
  case 3, 4, 5:
    harness.receive { writeRequest(&$0, &bytes, stream: next, endsStream: step & 16 != 0) }
    next += 2
  case 6, 7:
    let stream = max(1, last - Int32(bytes.byte() & 3) * 2)
    harness.receive {
      $0.data(bytes.bytes(), flag: step >> 5 & 1, stream: stream, endsStream: step >> 4 & 1 == 1)
    }
  case 8: harness.receive { $0.frame(type: 0, flags: step >> 4 & 1, stream: last, bytes.bytes()) }
  case 9: harness.receive { $0.frame(type: 8, stream: 0, number: UInt32(bytes.byte()) << 8 | 255) }
  case 10:
    let stream = max(1, last - Int32(bytes.byte() & 3) * 2)
    harness.receive { $0.frame(type: 3, stream: stream, number: UInt32(bytes.byte())) }
  case 11: harness.advance(milliseconds: Int64(bytes.byte()) * 100)
  case 12: harness.setWritable(step & 16 != 0)
  case 13:
    harness.calls.answer(Int(bytes.byte() & 3) + 1)
    harness.settle()
  case 14:
    // A message that comes in three reads.
    let cuts = [Int(bytes.byte() & 31), Int(bytes.byte() & 31)]
    var message = FrameBytes()
    message.data(bytes.take(8), stream: last, endsStream: true)
    var rest = message.bytes[...]
    for cut in cuts + [rest.count] {
      harness.receive { $0.append(rest.prefix(cut)) }
      rest = rest.dropFirst(cut)
    }
  default: if step & 16 != 0 { harness.drain() } else { harness.receive { $0.append(ackPing) } }
  }
}

/// The answer to the PING of a drain.
private let ackPing = {
  var frames = FrameBytes()
  frames.frame(type: 6, flags: 1, stream: 0, [UInt8](repeating: 0, count: 8))
  return frames.bytes
}()

/// The headers that every call to a path of ours begins with.
private let beginnings = FuzzMethods.paths.map { path in
  var headers = FrameBytes()
  headers.requestHeaders(path: path)
  return headers.bytes
}

/// A request's headers: mostly as they should be, with what the input adds.
private func writeRequest(
  _ frames: inout FrameBytes, _ bytes: inout FuzzBytes, stream: Int32, endsStream: Bool
) {
  let beginning = beginnings[Int(bytes.byte()) % beginnings.count]
  let extras = bytes.byte()
  // Without END_HEADERS now and then.
  let flags: UInt8 = (endsStream ? 1 : 0) | (extras & 0xc0 == 0xc0 ? 0 : 4)
  frames.frame(type: 1, flags: flags, stream: stream) { frames in
    frames.append(beginning)
    if extras & 1 != 0 { frames.literal("grpc-timeout", bytes.take(3)) }
    if extras & 2 != 0 { frames.literal("grpc-encoding", "gzip") }
    if extras & 4 != 0 { frames.literal("grpc-accept-encoding", "identity, gzip") }
    if extras & 8 != 0 { frames.literal("x-some-bin", bytes.take(6)) }
    if extras & 16 != 0 { frames.literal("x-text", bytes.take(4)) }
    if extras & 32 != 0 { frames.append(bytes.bytes()) }
  }
}

extension FrameBytes {
  mutating func requestHeaders(path: String) {
    literal(":method", "POST")
    literal(":scheme", "http")
    literal(":path", path.utf8)
    literal(":authority", "f")
    literal("te", "trailers")
    literal("content-type", "application/grpc")
  }
}
