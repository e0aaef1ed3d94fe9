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

  /// What the cases' first words are is the section; docs/conformance.md has them all.
  @Test("a rule is kept", arguments: ConformanceCase.all, [false, true])
  func rule(_ rule: ConformanceCase, isSecure: Bool) async throws {
    let (port, tls) = try await Servers.shared.place(isSecure: isSecure)
    let peer = try await FramePeer(port: port, tls: tls)
    try await rule.run(peer)
    peer.close()
  }

  @Test("no two cases have one name")
  func names() {
    let names = ConformanceCase.all.map(\.name)
    #expect(Set(names).count == names.count)
  }
}

extension ConformanceCase {
  static let all = generic + framing + streams + frames + messages + compression
}

/// Error codes by the names that RFC 9113 7 gives them.
let protocolError = [HTTP2Code.protocolError]
let flowControlError = [HTTP2Code.flowControlError]
let streamClosed = [HTTP2Code.streamClosed]
let streamClosedOrProtocolError = [HTTP2Code.streamClosed, HTTP2Code.protocolError]
let frameSizeError = [HTTP2Code.frameSizeError]
let compressionError = [HTTP2Code.compressionError]
