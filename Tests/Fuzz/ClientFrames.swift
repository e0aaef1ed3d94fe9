import Base

@testable import Wire

/// A script of what a server says, and of what callers do meanwhile.
func fuzzClientFrames(_ input: [UInt8]) {
  var bytes = FuzzBytes(input)
  let harness = ClientHarness()
  if bytes.byte() & 1 == 0 {
    harness.receive { frames in
      frames.settings()
      frames.settings(flags: 1)
    }
  }
  for _ in 0..<Harness.stepsMax where !bytes.isAtEnd && harness.isOpen { takeStep(harness, &bytes) }
  harness.finish()
}

private func takeStep(_ harness: ClientHarness, _ bytes: inout FuzzBytes) {
  let step = bytes.byte()
  let last = Int32(max(0, harness.streams.count - 1) * 2 + 1)
  let stream = max(1, last - Int32(step >> 6) * 2)
  switch step & 15 {
  case 0: harness.receive { $0.append(bytes.bytes()) }
  case 1:
    let (type, flags, stream) = (bytes.byte(), bytes.byte(), Int32(bytes.byte() & 15))
    harness.receive { $0.frame(type: type, flags: flags, stream: stream, bytes.bytes()) }
  case 2, 3: harness.openUnary(bytes.bytes(), deadline: step & 16 != 0 ? UInt64(bytes.byte()) * 100 : nil)
  case 4: harness.openStreaming(deadline: step & 16 != 0 ? UInt64(bytes.byte()) * 100 : nil)
  case 5, 6: harness.receive { writeHeaders(&$0, &bytes, stream: stream) }
  case 7: harness.receive { writeTrailers(&$0, &bytes, stream: stream) }
  case 8, 9:
    harness.receive {
      $0.data(bytes.bytes(), flag: step >> 5 & 1, stream: stream, endsStream: step >> 4 & 1 == 1)
    }
  case 10:
    // REFUSED_STREAM and CANCEL among the codes.
    harness.receive { $0.frame(type: 3, stream: stream, number: UInt32(bytes.byte() & 15)) }
  case 11:
    harness.receive { frames in
      frames.frame(type: 7, flags: 0, stream: 0) { frames in
        frames.append32(UInt32(bytes.byte() & 15))
        frames.append32(UInt32(bytes.byte()))
      }
    }
  case 12: harness.advance(milliseconds: Int64(bytes.byte()) * 50)
  case 13: harness.setWritable(step & 16 != 0)
  case 14: act(harness, &bytes)
  default: harness.receive { $0.frame(type: 8, stream: step & 16 != 0 ? stream : 0, number: 256) }
  }
}

/// A caller sends, ends or gives up.
private func act(_ harness: ClientHarness, _ bytes: inout FuzzBytes) {
  guard !harness.streams.isEmpty else { return }
  let what = bytes.byte()
  let stream = harness.streams[Int(what >> 2) % harness.streams.count]
  switch what & 3 {
  case 0: if stream.isStreaming { harness.client.send(stream, WireMessage(Array(bytes.bytes()))) }
  case 1: harness.client.finishSending(stream)
  default:
    guard !stream.isEnded else { return }
    harness.client.cancel(stream)
    stream.fail(Fault(.cancelled, "the caller cancelled the call"), drops: true)
  }
  harness.settle()
}

private let oddStatuses: [StaticString] = ["100", "404", "503", "x"]

private func writeHeaders(_ frames: inout FrameBytes, _ bytes: inout FuzzBytes, stream: Int32) {
  let what = bytes.byte()
  frames.frame(type: 1, flags: what & 128 != 0 ? 5 : 4, stream: stream) { frames in
    frames.literal(":status", what & 1 == 0 ? "200" : oddStatuses[Int(what >> 1 & 3)])
    if what & 8 == 0 { frames.literal("content-type", "application/grpc") }
    if what & 16 != 0 { frames.literal("grpc-encoding", what & 32 == 0 ? "gzip" : "br") }
    if what & 64 != 0 { frames.literal("grpc-status", bytes.take(1)) }
  }
}

private func writeTrailers(_ frames: inout FrameBytes, _ bytes: inout FuzzBytes, stream: Int32) {
  let what = bytes.byte()
  frames.frame(type: 1, flags: what & 16 == 0 ? 5 : 4, stream: stream) { frames in
    if what & 1 == 0 {
      if what & 2 == 0 {
        frames.literal("grpc-status", "0")
      } else {
        frames.literal("grpc-status", bytes.take(2))
      }
    }
    if what & 4 != 0 { frames.literal("grpc-message", bytes.take(5)) }
    if what & 8 != 0 { frames.literal("x-some-bin", bytes.take(5)) }
  }
}
