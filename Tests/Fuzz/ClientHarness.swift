import Base
import NIOCore
import NIOEmbedded

@testable import Wire

/// A client's connection without a socket, with calls on it.
final class ClientHarness {
  let loop = EmbeddedEventLoop()
  let channel: EmbeddedChannel
  let time = ManualTime(now: Timestamp(seconds: 1_700_000_000))
  let client: ClientSession
  private let core: ClientCore
  private(set) var output: [UInt8] = []
  private(set) var streams: [ClientStream] = []
  private let outcomes = Outcomes()

  private static var limits: WireLimits {
    var limits = WireLimits()
    limits.messageBytesMax = 2048
    limits.headerListBytesMax = 1024
    limits.streamWindowBytes = 4096
    limits.sendQueueBytesMax = 512
    return limits
  }

  init() {
    channel = EmbeddedChannel(loop: loop)
    let target = ClientTarget(
      host: "fuzz", port: 1, tls: nil, limits: Self.limits,
      keepalive: Keepalive(intervalMilliseconds: 5000, timeoutMilliseconds: 2000), time: time)
    core = ClientCore(target: target, eventLoop: loop)
    // So that a call which may move to another connection fails instead: there is no other.
    core.close()
    client = ClientSession(target: target, core: core)
    let transport = Transport(session: client.session, tls: nil, owner: client, limits: Self.limits)
    client.transport = transport
    do {
      try channel.pipeline.syncOperations.addHandler(transport)
      try channel.connect(to: SocketAddress(unixDomainSocketPath: "/fuzz")).wait()
    } catch { found("no channel: \(error)") }
    settle()
  }

  var isOpen: Bool { channel.isActive }

  func receive(_ bytes: [UInt8]) {
    guard isOpen, !bytes.isEmpty else { return }
    do { try channel.writeInbound(channel.allocator.buffer(bytes: bytes)) } catch {}
    settle()
  }

  func advance(milliseconds: Int64) {
    time.advance(milliseconds: milliseconds)
    loop.advanceTime(by: .milliseconds(milliseconds))
    if isOpen { _ = client.ring(time.instant) }
    settle()
  }

  func setWritable(_ isWritable: Bool) {
    guard isOpen else { return }
    channel.isWritable = isWritable
    channel.pipeline.fireChannelWritabilityChanged()
    settle()
  }

  func openUnary(_ request: [UInt8], deadline milliseconds: UInt64?) {
    guard isOpen, client.hasRoom else { return }
    let number = outcomes.begin()
    let stream = ClientStream(
      path: "/f.F/Unary", metadata: Metadata(["x": "y"]), deadline: deadline(milliseconds),
      messageBytesMax: Self.limits.messageBytesMax, compresses: false,
      shape: .unary(request: WireMessage(request)) { [outcomes] in outcomes.end(number, $0) })
    open(stream)
  }

  func openStreaming(deadline milliseconds: UInt64?) {
    guard isOpen, client.hasRoom else { return }
    let number = outcomes.begin()
    let slot = StreamSlot()
    let bound = NIOLoopBound(client, eventLoop: loop)
    let ends = StreamingEnds(
      queue: MessageQueue { count in if let stream = slot.stream { bound.value.took(stream, count) } },
      gate: SendGate(high: Self.limits.sendQueueBytesMax))
    let stream = ClientStream(
      path: "/f.F/Streaming", metadata: Metadata(), deadline: deadline(milliseconds),
      messageBytesMax: Self.limits.messageBytesMax, compresses: true, shape: .streaming(ends))
    slot.set(stream)
    open(stream)
    Task { [outcomes] in
      do {
        while try await ends.queue.next(bytesMax: 2048) != nil {}
        outcomes.end(number, ends.failure)
      } catch { outcomes.end(number, error) }
    }
    settle()
  }

  private func open(_ stream: ClientStream) {
    streams.append(stream)
    client.open(stream)
    settle()
  }

  private func deadline(_ milliseconds: UInt64?) -> Instant? {
    milliseconds.map { time.instant.advanced(byMilliseconds: $0) }
  }

  func settle() {
    repeat { loop.run() } while FuzzTasks.run() > 0
    do {
      while let buffer = try channel.readOutbound(as: ByteBuffer.self) {
        output.append(contentsOf: buffer.readableBytesView)
      }
    } catch { found("what was written is no bytes: \(error)") }
  }

  /// The server goes: every caller has heard how its call ended, once.
  func finish() {
    _ = try? channel.finish(acceptAlreadyClosed: true)
    settle()
    guard streams.allSatisfy(\.isEnded) else { found("a call that never ends") }
    outcomes.check()
  }
}

/// Guard for `@unchecked Sendable`: there is one thread.
private final class Outcomes: @unchecked Sendable {
  private var counts: [Int] = []

  func begin() -> Int {
    counts.append(0)
    return counts.count - 1
  }

  func end(_ number: Int, _ outcome: Any?) {
    counts[number] += 1
    if counts[number] > 1 { found("call \(number) ended twice") }
  }

  func check() { if counts.contains(0) { found("a caller who never hears how its call ended") } }
}
