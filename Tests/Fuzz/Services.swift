@testable import Wire

/// A method, and the bytes that a well-behaved peer begins its call with: a window for whatever comes back, and the
/// headers.
private struct Opening {
  let path: String
  let bytes: [UInt8]

  init(path: String) {
    self.path = path
    var frames = FrameBytes()
    frames.append(FrameBytes.preface)
    frames.frame(type: 4, flags: 0, stream: 0, [0, 4, 0, 0x10, 0, 0])
    frames.frame(type: 8, stream: 0, number: 0x10_0000)
    frames.frame(type: 1, flags: 4, stream: 1) { $0.requestHeaders(path: path) }
    bytes = frames.bytes
  }
}

private let openings = FuzzMethods.all.map(\.path).filter { $0 != "/f.F/Hold" }.map(Opening.init)

/// Any messages, in an orderly call to any method: the call ends with a status, one that says whose fault it was.
func fuzzServices(_ input: [UInt8]) {
  var bytes = FuzzBytes(input)
  let opening = openings[Int(bytes.byte()) % openings.count]
  let harness = ServerHarness()
  harness.receive { $0.append(opening.bytes) }
  var body = FrameBytes()
  for _ in 0...Int(bytes.byte() & 3) { body.message(bytes.bytes()) }
  if !bytes.isAtEnd { body.message(bytes.all()) }
  var rest = body.bytes[...]
  while !rest.isEmpty {
    harness.receive { $0.frame(type: 0, flags: 0, stream: 1, rest.prefix(4000)) }
    rest = rest.dropFirst(4000)
  }
  harness.receive { $0.frame(type: 0, flags: 1, stream: 1) { _ in } }
  // A watch goes on until its caller leaves; whatever else has begun has ended.
  if opening.path != "/grpc.health.v1.Health/Watch", harness.counters.callsOpen > 0 {
    found("\(opening.path) has no answer")
  }
  guard harness.isOpen else { found("an orderly call closed the connection") }
  harness.finish()
}
