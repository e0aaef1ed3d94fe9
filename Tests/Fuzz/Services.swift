@testable import Wire

/// Any messages, in an orderly call to any method: the call ends with a status, one that says whose fault it was.
func fuzzServices(_ input: [UInt8]) {
  var bytes = FuzzBytes(input)
  let methods = FuzzMethods.all.filter { $0.path != "/f.F/Hold" }
  let method = methods[Int(bytes.byte()) % methods.count]
  let harness = ServerHarness()
  let request = FrameBytes.headers(
    [
      (":method", Array("POST".utf8)), (":scheme", Array("http".utf8)), (":path", Array(method.path.utf8)),
      (":authority", Array("f".utf8)), ("te", Array("trailers".utf8)),
      ("content-type", Array("application/grpc".utf8)),
    ], stream: 1, endsStream: false)
  var body: [UInt8] = []
  for _ in 0...Int(bytes.byte() & 3) { body += FrameBytes.message(bytes.bytes()) }
  if !bytes.isAtEnd { body += FrameBytes.message(bytes.all()) }
  // A window for whatever comes back.
  harness.receive(
    FrameBytes.preface
      + FrameBytes.frame(type: 4, flags: 0, stream: 0, [0, 4] + [0, 0x10, 0, 0])
      + FrameBytes.frame(type: 8, flags: 0, stream: 0, [0, 0x10, 0, 0]) + request)
  var rest = body[...]
  while !rest.isEmpty {
    harness.receive(FrameBytes.frame(type: 0, flags: 0, stream: 1, Array(rest.prefix(4000))))
    rest = rest.dropFirst(4000)
  }
  harness.receive(FrameBytes.frame(type: 0, flags: 1, stream: 1, []))
  // A watch goes on until its caller leaves; whatever else has begun has ended.
  if method.path != "/grpc.health.v1.Health/Watch", harness.counters.callsOpen > 0 {
    found("\(method.path) has no answer")
  }
  guard harness.isOpen else { found("an orderly call closed the connection") }
  harness.finish()
  FrameCheck.check(harness.output, fromServer: true)
}
