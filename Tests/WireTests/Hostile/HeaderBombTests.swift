import Base
import Testing

@testable import Wire

/// Header blocks that stand for far more than they are.
@Suite struct HeaderBombTests {
  /// One field of 4,000 bytes is put into the table; then each byte stands for it.
  private static let entry = [0x40] + Raw.literal("x") + Raw.literal(String(repeating: "a", count: 4000))

  private static func bomb(_ stream: Int32, references: Int) -> [UInt8] {
    let block = Raw.block(Raw.call(EchoServer.unary)) + entry + [UInt8](repeating: 0xbe, count: references)
    var bytes: [UInt8] = []
    var offset = 0
    while offset < block.count {
      let piece = Array(block[offset..<min(offset + 16_000, block.count)])
      let isLast = offset + piece.count == block.count
      let kind: UInt8 = offset == 0 ? 1 : 9
      bytes += Raw.frame(kind, flags: (isLast ? 4 : 0) | (kind == 1 ? 1 : 0), stream: stream, piece)
      offset += piece.count
    }
    return bytes
  }

  @Test("a list a little over the limit is answered 431; one far over it is reset; the connection goes on")
  func bombs() async throws {
    let echo = try await EchoServer()
    let peer = try await FramePeer(port: echo.port)
    try await peer.shakeHands()
    peer.send(Self.bomb(1, references: 3))
    #expect(try await peer.end(stream: 1)?.kind == 1)
    peer.send(Self.bomb(3, references: 100_000))
    #expect(try await peer.code(stream: 3) == HTTP2Code.enhanceYourCalm)
    // The table is as the peer believes it to be.
    peer.send(
      Raw.frame(1, flags: 4, stream: 5, Raw.block(Raw.call(EchoServer.unary)) + [0xbe])
        + Raw.data(5, framed([1])))
    #expect(try await peer.end(stream: 5) != nil)
    #expect(echo.server.counters.callsFailed == 0)
    peer.close()
    await echo.server.drain()
  }

  @Test("of a bomb no more than four times the limit is looked at")
  func bounded() throws {
    let inbox = Inbox(headerListBytesMax: 8192)
    inbox.beginBlock(isRequest: true)
    var kept = HeaderCollector()
    let name = Array("x".utf8)
    let value = [UInt8](repeating: 0x61, count: 4000)
    let taken = name.withUnsafeBufferPointer { name in
      value.withUnsafeBufferPointer { value in
        for _ in 0..<8 { kept.add(name: name, value: value, listBytesMax: 8192) }
        return (0..<100_000).prefix { _ in inbox.field(name: name, value: value) }.count
      }
    }
    #expect(taken == 8)
    #expect(kept.block().bytes.count == 8002)
    // What it was collected in is not kept for the next.
    let (isLarge, staysLarge) = (kept.isLarge, inbox.collector.isLarge)
    #expect(isLarge && !staysLarge)
  }

  @Test("a peer's table of four gigabytes makes ours no larger")
  func hugeTable() async throws {
    let echo = try await EchoServer()
    let peer = try await FramePeer(port: echo.port)
    try await peer.shakeHands([(1, .max)])
    peer.send(Raw.headers(1, Raw.call(EchoServer.unary), ends: false) + Raw.data(1, framed([1])))
    let reply = try #require(try await peer.next(kind: 1, stream: 1))
    // A table size update: never more than 4,096, so none or one below it.
    #expect(reply.payload.first.map { $0 & 0xe0 != 0x20 || $0 < 0x3f } == true || reply.payload.count < 64)
    peer.close()
    await echo.server.drain()
  }
}
