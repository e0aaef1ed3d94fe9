import Testing

@testable import Wire

/// One rule of RFC 9113 or RFC 7541: what a client sends that keeps or breaks it, and what the server must do.
struct ConformanceCase: Sendable, CustomTestStringConvertible {
  enum Outcome: Sendable {
    /// GOAWAY with one of these codes, and the connection closed.
    case connection([UInt32])
    /// RST_STREAM on this stream with one of these codes, or the same as a connection's error.
    case stream(Int32, [UInt32])
    /// RST_STREAM on this stream with this code, and the connection lives on.
    case reset(Int32, UInt32)
    /// The stream is answered, up to END_STREAM.
    case answered(Int32)
    /// A PING is answered: all that came before it was taken.
    case lives
    /// The connection is closed, with or without a word.
    case closes
  }

  var name: String
  var greets = true
  var settings: [(UInt16, UInt32)] = []
  var bytes: [UInt8] = []
  var outcome: Outcome
  /// What is sent once the first part has had its outcome.
  var next: (@Sendable (FramePeer) async throws -> Void)?

  var testDescription: String { name }

  init(_ name: String, _ bytes: [UInt8], _ outcome: Outcome, greets: Bool = true) {
    self.name = name
    self.bytes = bytes
    self.outcome = outcome
    self.greets = greets
  }

  /// A conversation, after the handshake.
  init(
    _ name: String, settings: [(UInt16, UInt32)] = [], greets: Bool = true,
    _ conversation: @escaping @Sendable (FramePeer) async throws -> Void
  ) {
    self.name = name
    self.settings = settings
    self.greets = greets
    outcome = .lives
    next = conversation
  }

  func run(_ peer: FramePeer) async throws {
    if greets { try await peer.shakeHands(settings) }
    if let next { return try await next(peer) }
    peer.send(bytes)
    try await Self.expect(outcome, peer)
  }

  static func expect(_ outcome: Outcome, _ peer: FramePeer) async throws {
    switch outcome {
    case .connection(let codes):
      let goAway = try #require(try await peer.goAway(), "no GOAWAY")
      #expect(codes.contains(goAway.code), "GOAWAY \(goAway.code) \(goAway.text)")
    case .stream(let stream, let codes):
      while let frame = try await peer.next() {
        guard frame.kind == 7 || (frame.kind == 3 && frame.stream == stream) else { continue }
        #expect(codes.contains(frame.code), "\(frame.kind) \(frame.code) \(frame.text)")
        return
      }
      Issue.record("neither RST_STREAM nor GOAWAY")
    case .reset(let stream, let code):
      #expect(try await peer.code(stream: stream) == code)
      try await expect(.lives, peer)
    case .answered(let stream):
      #expect(try await peer.end(stream: stream) != nil, "no answer: \(peer.lastGoAway?.text ?? "")")
    case .lives:
      peer.send(Raw.ping("tick-tak"))
      while let frame = try await peer.next() {
        #expect(frame.kind != 7, "GOAWAY \(frame.code) \(frame.text)")
        if frame.kind == 6, frame.flags & 1 != 0, frame.payload == Array("tick-tak".utf8) { return }
      }
      Issue.record("the connection was closed: \(peer.lastGoAway?.text ?? "")")
    case .closes: _ = try await peer.goAway()
    }
  }
}
