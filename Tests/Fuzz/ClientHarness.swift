import Base
import NIOCore

@testable import Wire

/// A client's connection without a socket, with calls on it.
final class ClientHarness: Harness {
  /// Calls of one input: enough for limits and order, and what they cost is most of an input's time.
  private static let callsMax = 8

  let client: ClientSession
  private let core: ClientCore
  private(set) var streams: [ClientStream] = []
  private let outcomes = Outcomes()

  private static let metadata = Metadata(["x": "y"])
  private static let limits: WireLimits = {
    var limits = WireLimits()
    limits.messageBytesMax = 2048
    limits.headerListBytesMax = 1024
    limits.streamWindowBytes = 4096
    limits.sendQueueBytesMax = 512
    return limits
  }()

  init() {
    let loop = FuzzLoop()
    let time = ManualTime(now: Timestamp(seconds: 1_700_000_000))
    let target = ClientTarget(
      host: "fuzz", port: 1, tls: nil, limits: Self.limits,
      keepalive: Keepalive(intervalMilliseconds: 5000, timeoutMilliseconds: 2000), time: time)
    core = ClientCore(target: target, eventLoop: loop)
    // So that a call which may move to another connection fails instead: there is no other.
    core.close()
    client = ClientSession(target: target, core: core)
    super.init(loop: loop, time: time)
    let transport = Transport(session: client.session, tls: nil, owner: client, limits: Self.limits)
    client.transport = transport
    channel.begin(transport)
    settle()
  }

  override func timePassed() { if isOpen { _ = client.ring(time.instant) } }

  func openUnary(_ request: ArraySlice<UInt8>, deadline milliseconds: UInt64?) {
    guard let number = beginCall() else { return }
    open(
      ClientStream(
        path: "/f.F/Unary", metadata: Self.metadata, deadline: deadline(milliseconds),
        messageBytesMax: Self.limits.messageBytesMax, compresses: false,
        shape: .unary(request: WireMessage(Array(request))) { [outcomes] in outcomes.end(number, $0) }))
  }

  func openStreaming(deadline milliseconds: UInt64?) {
    guard let number = beginCall() else { return }
    let slot = StreamSlot()
    let bound = NIOLoopBound(client, eventLoop: loop)
    let ends = StreamingEnds(
      queue: MessageQueue { [loop] count in
        loop.execute { if let stream = slot.stream { bound.value.took(stream, count) } }
      },
      gate: SendGate(high: Self.limits.sendQueueBytesMax))
    let stream = ClientStream(
      path: "/f.F/Streaming", metadata: Metadata(), deadline: deadline(milliseconds),
      messageBytesMax: Self.limits.messageBytesMax, compresses: true, shape: .streaming(ends))
    slot.set(stream)
    Task { [outcomes] in
      do {
        while try await ends.queue.next(bytesMax: 2048) != nil {}
        outcomes.end(number, ends.failure)
      } catch { outcomes.end(number, error) }
    }
    open(stream)
  }

  private func beginCall() -> Int? {
    isOpen && client.hasRoom && streams.count < Self.callsMax ? outcomes.begin() : nil
  }

  private func open(_ stream: ClientStream) {
    streams.append(stream)
    client.open(stream)
    settle()
  }

  private func deadline(_ milliseconds: UInt64?) -> Instant? {
    milliseconds.map { time.instant.advanced(byMilliseconds: $0) }
  }

  /// The server goes: every caller has heard how its call ended, once.
  func finish() {
    peerLeaves()
    guard streams.allSatisfy(\.isEnded) else { found("a call that never ends") }
    outcomes.check()
    end()
    FrameCheck.check(channel.output, fromServer: false)
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
