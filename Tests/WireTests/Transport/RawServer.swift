import Base
import NIOCore
import NIOPosix
import Synchronization

@testable import Wire

/// A server that writes HTTP/2 frames by hand, to say what a session of ours would not.
final class RawServer: Sendable {
  /// What is written when a request's header list has come. `connection` counts from 1.
  typealias Script = @Sendable (_ connection: Int, _ stream: Int32) -> [Step]

  enum Step: Sendable {
    case frame(type: UInt8, flags: UInt8, stream: Int32, [UInt8])
    case close

    static func headers(_ stream: Int32, _ fields: [(String, String)], ends: Bool = false) -> Step {
      .frame(type: 1, flags: ends ? 5 : 4, stream: stream, fields.flatMap(literal))
    }

    static func goAway(last: Int32, code: UInt32 = 0) -> Step {
      .frame(type: 7, flags: 0, stream: 0, bigEndian(UInt32(last)) + bigEndian(code))
    }

    static func reset(_ stream: Int32, _ code: UInt32) -> Step {
      .frame(type: 3, flags: 0, stream: stream, bigEndian(code))
    }

    /// A whole good answer.
    static func answer(_ stream: Int32, _ message: [UInt8]) -> [Step] {
      [
        .headers(stream, [(":status", "200"), ("content-type", "application/grpc")]),
        .frame(type: 0, flags: 0, stream: stream, framed(message)),
        .headers(stream, [("grpc-status", "0")], ends: true),
      ]
    }
  }

  let port: Int
  private let channel: any Channel
  private let count: ScriptedServer.Counter
  var connectionCount: Int { count.value }

  init(_ script: @escaping Script) async throws {
    let count = ScriptedServer.Counter()
    self.count = count
    channel = try await ServerBootstrap(group: sharedLoops.group)
      .childChannelInitializer { channel in
        channel.eventLoop.makeCompletedFuture {
          try channel.pipeline.syncOperations.addHandler(RawConnection(count.increment(), script))
        }
      }
      .bind(host: "127.0.0.1", port: 0).get()
    port = channel.localAddress?.port ?? 0
  }

  func close() async { try? await channel.close() }

  func client() throws -> ClientConnection {
    try ClientConnection(host: "127.0.0.1", port: port, tls: nil, time: SystemTime(), loops: sharedLoops)
  }
}

/// Reads no more of frames than their kind and stream.
private final class RawConnection: ChannelInboundHandler {
  typealias InboundIn = ByteBuffer
  typealias OutboundOut = ByteBuffer

  private static let prefaceCount = 24
  private let number: Int
  private let script: RawServer.Script
  private var received: [UInt8] = []
  private var hasPreface = false

  init(_ number: Int, _ script: @escaping RawServer.Script) {
    self.number = number
    self.script = script
  }

  func channelActive(context: ChannelHandlerContext) {
    write(.frame(type: 4, flags: 0, stream: 0, []), context)
    context.flush()
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    received += unwrapInboundIn(data).readableBytesView
    if !hasPreface, received.count >= Self.prefaceCount {
      hasPreface = true
      received.removeFirst(Self.prefaceCount)
    }
    while hasPreface, received.count >= 9 {
      let count = Int(received[0]) << 16 | Int(received[1]) << 8 | Int(received[2])
      guard received.count >= 9 + count else { break }
      let stream = received[5..<9].reduce(Int32(0)) { $0 << 8 | Int32($1) }
      if received[3] == 1 {
        for step in script(number, stream) { write(step, context) }
        context.flush()
      }
      received.removeFirst(9 + count)
    }
  }

  private func write(_ step: RawServer.Step, _ context: ChannelHandlerContext) {
    guard case .frame(let type, let flags, let stream, let payload) = step else {
      context.flush()
      context.close(promise: nil)
      return
    }
    let bytes =
      bigEndian(UInt32(payload.count)).dropFirst() + [type, flags] + bigEndian(UInt32(stream)) + payload
    context.write(wrapOutboundOut(ByteBuffer(bytes: bytes)), promise: nil)
  }
}

private func bigEndian(_ value: UInt32) -> [UInt8] {
  [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: value >> $0) }
}

/// HPACK: literal without indexing, for names and values of less than 127 bytes.
private func literal(_ field: (name: String, value: String)) -> [UInt8] {
  [0, UInt8(field.name.utf8.count)] + field.name.utf8 + [UInt8(field.value.utf8.count)] + field.value.utf8
}
