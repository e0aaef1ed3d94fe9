import Base
import Testing

@testable import Wire

/// RFC 9113 and RFC 7541 in their strictest reading, over plain text and over TLS.
@Suite struct ConformanceTests {
  /// Servers that all cases share: making one costs more than most cases do.
  actor Servers {
    static let shared = Servers()
    private var plain: EchoServer?
    private var secure: (EchoServer, TLSConfiguration, TLSTests.Fixture)?

    func place(isSecure: Bool) async throws -> (port: Int, tls: TLSConfiguration?) {
      if isSecure {
        if secure == nil {
          let fixture = try TLSTests.Fixture()
          let echo = try await EchoServer(tls: fixture.server.configuration(), limits: Self.limits)
          if secure == nil { secure = (echo, try fixture.issue(.edgeClient), fixture) }
        }
        guard let (echo, tls, _) = secure else { throw RawPeer.Trouble(message: "no server") }
        return (echo.port, tls)
      }
      if plain == nil {
        let echo = try await EchoServer(limits: Self.limits)
        if plain == nil { plain = echo }
      }
      return (plain?.port ?? 0, nil)
    }

    private static var limits: WireLimits {
      var limits = WireLimits()
      limits.lingerMilliseconds = 50
      return limits
    }
  }

  static func run(_ rule: ConformanceCase, isSecure: Bool) async throws {
    let (port, tls) = try await Servers.shared.place(isSecure: isSecure)
    let peer = try await FramePeer(port: port, tls: tls)
    try await rule.run(peer)
    peer.close()
  }

  @Test("generic", arguments: ConformanceCase.generic, [false, true])
  func generic(_ rule: ConformanceCase, isSecure: Bool) async throws {
    try await Self.run(rule, isSecure: isSecure)
  }

  @Test("connections and frames", arguments: ConformanceCase.framing, [false, true])
  func framing(_ rule: ConformanceCase, isSecure: Bool) async throws {
    try await Self.run(rule, isSecure: isSecure)
  }

  @Test("streams", arguments: ConformanceCase.streams, [false, true])
  func streams(_ rule: ConformanceCase, isSecure: Bool) async throws {
    try await Self.run(rule, isSecure: isSecure)
  }

  @Test("frame definitions", arguments: ConformanceCase.frames, [false, true])
  func frames(_ rule: ConformanceCase, isSecure: Bool) async throws {
    try await Self.run(rule, isSecure: isSecure)
  }

  @Test("HTTP messages", arguments: ConformanceCase.messages, [false, true])
  func messages(_ rule: ConformanceCase, isSecure: Bool) async throws {
    try await Self.run(rule, isSecure: isSecure)
  }

  @Test("HPACK", arguments: ConformanceCase.compression, [false, true])
  func compression(_ rule: ConformanceCase, isSecure: Bool) async throws {
    try await Self.run(rule, isSecure: isSecure)
  }
}

/// Error codes by the names that RFC 9113 7 gives them.
let protocolError = [HTTP2Code.protocolError]
let flowControlError = [HTTP2Code.flowControlError]
let streamClosed = [HTTP2Code.streamClosed]
let frameSizeError = [HTTP2Code.frameSizeError]
let compressionError = [HTTP2Code.compressionError]
