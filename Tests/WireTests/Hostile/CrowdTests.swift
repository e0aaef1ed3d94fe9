import Base
import Glibc
import Testing

@testable import Wire

/// A thousand connections that mean no good, and one that does.
@Suite struct CrowdTests {
  enum Kind: CaseIterable {
    case mute, garbage, halfPreface, halfHeaders, halfBody, halfMessages, deaf, pings, resets, settings,
      bombs, noWindow

    func begin(_ port: Int) async throws -> FramePeer {
      let peer = try await FramePeer(port: port)
      switch self {
      case .mute: break
      case .garbage: peer.send([UInt8](repeating: 0x16, count: 4000))
      case .halfPreface: peer.send(Array(Raw.preface.prefix(20)))
      default:
        peer.send(Raw.preface + Raw.settings(self == .noWindow ? [(4, 0)] : []))
        speak(peer)
      }
      return peer
    }

    private func speak(_ peer: FramePeer) {
      switch self {
      case .mute, .garbage, .halfPreface: break
      case .halfHeaders: peer.send(Raw.headers(1, endsHeaders: false))
      case .halfBody:
        for stream in stride(from: Int32(1), through: 9, by: 2) {
          peer.send(Raw.headers(stream, Raw.call(EchoServer.unary), ends: false))
          peer.send(Raw.data(stream, [0, 0, 0x10, 0, 0] + [UInt8](repeating: 1, count: 10_000), ends: false))
        }
      case .halfMessages:
        peer.send(
          Raw.headers(1, Raw.call(EchoServer.collect), ends: false) + Raw.data(1, [0, 0, 0], ends: false))
      case .deaf, .noWindow:
        for stream in stride(from: Int32(1), through: 199, by: 2) {
          peer.send(Raw.headers(stream, Raw.call(EchoServer.unary), ends: false))
          peer.send(Raw.data(stream, framed([UInt8](repeating: 1, count: 500))))
        }
      case .pings: for _ in 0..<500 { peer.send(Raw.ping()) }
      case .resets:
        for stream in stride(from: Int32(1), through: 1199, by: 2) {
          peer.send(Raw.headers(stream, Raw.call(EchoServer.hang), ends: false) + Raw.reset(stream))
        }
      case .settings: for _ in 0..<500 { peer.send(Raw.settings()) }
      case .bombs:
        let bomb =
          Raw.block(Raw.get) + [0x40] + Raw.literal("x") + Raw.literal(String(repeating: "a", count: 4000))
        for stream in stride(from: Int32(1), through: 9, by: 2) {
          peer.send(Raw.frame(1, flags: 5, stream: stream, bomb + [UInt8](repeating: 0xbe, count: 8000)))
        }
      }
    }
  }

  @Test("a thousand bad connections are all closed, cost little memory, and a good one's calls succeed")
  func crowd() async throws {
    var limits = WireLimits()
    limits.handshakeMilliseconds = 1_000
    limits.headersMilliseconds = 1_000
    limits.bodyMilliseconds = 1_000
    limits.readMilliseconds = 1_000
    limits.keepaliveMilliseconds = 500
    limits.keepaliveAnswerMilliseconds = 1_000
    limits.lingerMilliseconds = 100
    let echo = try await EchoServer(limits: limits)
    let client = try echo.client()
    #expect(try await client.unary(EchoServer.unary, [1]).message == [1])
    let before = try residentBytes()
    var peers: [FramePeer] = []
    var highest = before
    for index in 0..<1008 {
      peers.append(try await Kind.allCases[index % Kind.allCases.count].begin(echo.port))
      if index % 8 == 0 { #expect(try await client.unary(EchoServer.unary, [2]).message == [2]) }
      if index % 100 == 0 { highest = max(highest, try residentBytes()) }
    }
    highest = max(highest, try residentBytes())
    // Both ends live in this process, so this counts the bad peers' side, too. A sanitizer that watches memory keeps
    // what was given back: then this says nothing.
    if dlsym(nil, "__asan_init") == nil {
      #expect(highest - before <= 64 << 20, "\((highest - before) >> 20) MiB")
    }
    while echo.server.counters.connectionsOpen > 1 {
      #expect(try await client.unary(EchoServer.unary, [3]).message == [3])
      try await Task.sleep(for: .milliseconds(10))
    }
    #expect(echo.server.counters.callsOpen == 0)
    #expect(await eventually { echo.server.counters.bytesBuffered == 0 })
    for peer in peers { peer.close() }
    await client.close()
    await echo.server.drain()
  }

  /// Pages of this process in memory, from the kernel.
  private func residentBytes() throws -> Int {
    let file = open("/proc/self/statm", O_RDONLY)
    defer { close(file) }
    var text = [UInt8](repeating: 0, count: 256)
    let count = read(file, &text, text.count)
    let fields = text[..<max(count, 0)].split(separator: UInt8(ascii: " "))
    let pages = try #require(fields.count > 1 ? Int(String(decoding: fields[1], as: UTF8.self)) : nil)
    return pages * Int(sysconf(Int32(_SC_PAGESIZE)))
  }
}
