import Base

@testable import Wire

/// A script of what a server says, and of what callers do meanwhile.
func fuzzClientFrames(_ input: [UInt8]) {
  var bytes = FuzzBytes(input)
  let harness = ClientHarness()
  if bytes.byte() & 1 == 0 {
    harness.receive(
      FrameBytes.frame(type: 4, flags: 0, stream: 0, []) + FrameBytes.frame(type: 4, flags: 1, stream: 0, []))
  }
  while !bytes.isAtEnd, harness.isOpen {
    let step = bytes.byte()
    let last = Int32(max(0, harness.streams.count - 1) * 2 + 1)
    let stream = max(1, last - Int32(step >> 6) * 2)
    switch step & 15 {
    case 0: harness.receive(bytes.bytes())
    case 1:
      let (type, flags, stream) = (bytes.byte(), bytes.byte(), Int32(bytes.byte() & 15))
      harness.receive(FrameBytes.frame(type: type, flags: flags, stream: stream, bytes.bytes()))
    case 2, 3: harness.openUnary(bytes.bytes(), deadline: step & 16 != 0 ? UInt64(bytes.byte()) * 100 : nil)
    case 4: harness.openStreaming(deadline: step & 16 != 0 ? UInt64(bytes.byte()) * 100 : nil)
    case 5, 6: harness.receive(headers(&bytes, stream: stream))
    case 7: harness.receive(trailers(&bytes, stream: stream))
    case 8, 9:
      harness.receive(
        FrameBytes.frame(
          type: 0, flags: step >> 4 & 1, stream: stream,
          FrameBytes.message(bytes.bytes(), flag: step >> 5 & 1)))
    case 10:
      // REFUSED_STREAM and CANCEL among the codes.
      harness.receive(FrameBytes.frame(type: 3, flags: 0, stream: stream, [0, 0, 0, bytes.byte() & 15]))
    case 11:
      harness.receive(
        FrameBytes.frame(type: 7, flags: 0, stream: 0, [0, 0, 0, bytes.byte() & 15, 0, 0, 0, bytes.byte()]))
    case 12: harness.advance(milliseconds: Int64(bytes.byte()) * 50)
    case 13: harness.setWritable(step & 16 != 0)
    case 14: act(harness, &bytes)
    default:
      harness.receive(FrameBytes.frame(type: 8, flags: 0, stream: step & 16 != 0 ? stream : 0, [0, 0, 1, 0]))
    }
  }
  harness.finish()
  FrameCheck.check(harness.output, fromServer: false)
}

/// A caller sends, ends or gives up.
private func act(_ harness: ClientHarness, _ bytes: inout FuzzBytes) {
  guard !harness.streams.isEmpty else { return }
  let what = bytes.byte()
  let stream = harness.streams[Int(what >> 2) % harness.streams.count]
  switch what & 3 {
  case 0: if stream.isStreaming { harness.client.send(stream, WireMessage(bytes.bytes())) }
  case 1: harness.client.finishSending(stream)
  default:
    guard !stream.isEnded else { return }
    harness.client.cancel(stream)
    stream.fail(Fault(.cancelled, "the caller cancelled the call"), drops: true)
  }
  harness.settle()
}

private func headers(_ bytes: inout FuzzBytes, stream: Int32) -> [UInt8] {
  let what = bytes.byte()
  var fields: [(String, [UInt8])] = [
    (":status", Array((what & 1 == 0 ? "200" : ["100", "404", "503", "x"][Int(what >> 1 & 3)]).utf8))
  ]
  if what & 8 == 0 { fields.append(("content-type", Array("application/grpc".utf8))) }
  if what & 16 != 0 { fields.append(("grpc-encoding", Array((what & 32 == 0 ? "gzip" : "br").utf8))) }
  if what & 64 != 0 { fields.append(("grpc-status", bytes.take(1))) }
  return FrameBytes.headers(fields, stream: stream, endsStream: what & 128 != 0)
}

private func trailers(_ bytes: inout FuzzBytes, stream: Int32) -> [UInt8] {
  let what = bytes.byte()
  var fields: [(String, [UInt8])] = []
  if what & 1 == 0 { fields.append(("grpc-status", what & 2 == 0 ? [0x30] : bytes.take(2))) }
  if what & 4 != 0 { fields.append(("grpc-message", bytes.take(5))) }
  if what & 8 != 0 { fields.append(("x-some-bin", bytes.take(5))) }
  return FrameBytes.headers(fields, stream: stream, endsStream: what & 16 == 0)
}
