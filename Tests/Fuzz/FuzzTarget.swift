import Glibc

/// One door through which bytes of strangers come in, and what must hold whatever they are.
struct FuzzTarget: Sendable {
  let name: String
  let about: String
  /// Bytes of an input, unless the command says otherwise: models take more than frames.
  var length = 128
  let body: @Sendable ([UInt8]) -> Void

  static let all = [
    FuzzTarget(
      name: "frames", about: "a server's connection: any bytes, any frames, any order", body: fuzzServerFrames
    ),
    FuzzTarget(
      name: "client-frames", about: "a client's connection against any server", body: fuzzClientFrames),
    FuzzTarget(
      name: "services", about: "every method of every service, with any messages", body: fuzzServices),
    FuzzTarget(
      name: "messages", about: "every codec: what is taken can be written and read again", body: fuzzMessages),
    FuzzTarget(
      name: "deframer", about: "messages cut out of bodies, plain and gzipped", body: fuzzDeframer),
    FuzzTarget(
      name: "metadata", about: "header lists, -bin values, percent-encoding, statuses", body: fuzzMetadata),
    FuzzTarget(name: "timeouts", about: "grpc-timeout", body: fuzzTimeouts),
    FuzzTarget(
      name: "lightgbm", about: "LightGBM's text models, imported, written and scored", length: 2048,
      body: fuzzLightGBM),
    FuzzTarget(
      name: "xgboost", about: "XGBoost's JSON models, imported, written and scored", length: 2048,
      body: fuzzXGBoost),
    FuzzTarget(
      name: "onnx", about: "ONNX networks, imported, written, scored and brought to bytes", length: 1024,
      body: fuzzONNX),
    FuzzTarget(
      name: "model-segments", about: "segments of rankers, opened and scored", length: 2048,
      body: fuzzModelSegments),
    FuzzTarget(
      name: "index-segments", about: "segments of an index and of vectors, opened and searched", length: 6144,
      body: fuzzIndexSegments),
    FuzzTarget(
      name: "neighbour-segments", about: "segments of neighbours, opened and summed", length: 1024,
      body: fuzzNeighbourSegments),
  ]

  /// Guard for `nonisolated(unsafe)`: set once, before the one thread that fuzzes begins.
  nonisolated(unsafe) static var current = all[0]
}

/// Something that must hold doesn't: libFuzzer keeps the input.
func found(_ what: String) -> Never {
  say("FOUND: \(what)")
  abort()
}

func say(_ text: String) {
  _ = Array((text + "\n").utf8).withUnsafeBytes { write(2, $0.baseAddress, $0.count) }
}

/// Takes an input apart; at its end there are zeros and nothing.
struct FuzzBytes {
  private var rest: ArraySlice<UInt8>

  init(_ bytes: [UInt8]) { rest = bytes[...] }

  var isAtEnd: Bool { rest.isEmpty }

  mutating func byte() -> UInt8 { rest.popFirst() ?? 0 }

  /// A byte of length, then as many bytes. 255 means all that is left.
  mutating func bytes() -> ArraySlice<UInt8> {
    let count = byte()
    return count == 255 ? all() : take(Int(count))
  }

  mutating func take(_ count: Int) -> ArraySlice<UInt8> {
    defer { rest = rest.dropFirst(count) }
    return rest.prefix(count)
  }

  mutating func all() -> ArraySlice<UInt8> { take(rest.count) }
}
