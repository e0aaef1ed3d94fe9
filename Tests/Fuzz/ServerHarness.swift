import Base
import NIOCore
import NIOEmbedded

@testable import Wire

/// A server's connection without a socket: bytes in, bytes out, time by hand.
final class ServerHarness {
  let loop = EmbeddedEventLoop()
  let channel: EmbeddedChannel
  let time = ManualTime(now: Timestamp(seconds: 1_700_000_000))
  let counters = ServerCounters()
  let calls = HeldCalls()
  private var connection: ServerConnection?
  private(set) var output: [UInt8] = []
  private let isGone = Flag()

  private static let table = MethodTable(FuzzMethods.all)

  /// What one run may hold is small, so that limits are reached.
  static var limits: WireLimits {
    var limits = WireLimits()
    limits.messageBytesMax = 2048
    limits.headerListBytesMax = 1024
    limits.concurrentStreamsMax = 6
    limits.streamWindowBytes = 4096
    limits.connectionBufferedBytesMax = 8192
    limits.sendQueueBytesMax = 512
    return limits
  }

  init() {
    HeldCalls.current = calls
    channel = EmbeddedChannel(loop: loop)
    let shared = ServerShared(
      methods: Self.table, limits: Self.limits, anonymousRoles: Set(Role.allCases), trustDomain: nil,
      time: time, counters: counters, jitter: { 1 }, audit: nil, observer: nil)
    let session = Session(side: .server, limits: Self.limits, time: time)
    let connection = ServerConnection(
      shared: shared, session: session, eventLoop: loop, address: "fuzz"
    ) { [isGone] in isGone.set() }
    let transport = Transport(session: session, tls: nil, owner: connection, limits: Self.limits)
    connection.attach(transport)
    self.connection = connection
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
    settle()
  }

  func setWritable(_ isWritable: Bool) {
    guard isOpen else { return }
    channel.isWritable = isWritable
    channel.pipeline.fireChannelWritabilityChanged()
    settle()
  }

  func drain() {
    connection?.link.beginDrain()
    settle()
  }

  /// Tasks and the loop in turn, until both are at rest.
  func settle() {
    repeat { loop.run() } while FuzzTasks.run() > 0
    do {
      while let buffer = try channel.readOutbound(as: ByteBuffer.self) {
        output.append(contentsOf: buffer.readableBytesView)
      }
    } catch { found("what was written is no bytes: \(error)") }
  }

  /// The peer goes. Nothing may be left of its connection.
  func finish() {
    calls.answer(.max)
    settle()
    _ = try? channel.finish(acceptAlreadyClosed: true)
    settle()
    calls.answer(.max)
    settle()
    weak let left = connection
    guard isGone.isSet else { found("nobody was told that the connection is gone") }
    if let connection {
      guard connection.streams.isEmpty, connection.isClosed else { found("calls of a closed connection") }
      guard connection.heldCount == 0, connection.sendingCount == 0 else {
        found("bytes counted of a closed connection: \(connection.heldCount), \(connection.sendingCount)")
      }
    }
    connection = nil
    guard counters.callsOpen == 0, counters.bytesBuffered == 0 else {
      found("counters: \(counters.callsOpen) open calls, \(counters.bytesBuffered) bytes")
    }
    // Timers that were cancelled on the way go first.
    loop.advanceTime(by: .hours(1))
    guard left == nil else { found("the connection is never freed") }
  }
}

/// Calls whose answer the input gives when it likes to.
final class HeldCalls {
  /// Guard for `nonisolated(unsafe)`: there is one thread.
  nonisolated(unsafe) static var current: HeldCalls?
  private var calls: [ServerCall] = []

  func hold(_ call: ServerCall) { calls.append(call) }

  func answer(_ count: Int) {
    for _ in 0..<min(count, calls.count) {
      let call = calls.removeFirst()
      if calls.count % 2 == 0 { call.reply([1, 2, 3]) } else { call.fail(Fault(.notFound, "é\n%")) }
    }
  }
}

/// Guard for `@unchecked Sendable`: there is one thread.
final class Flag: @unchecked Sendable {
  private(set) var isSet = false
  func set() {
    if isSet { found("told twice that the connection is gone") }
    isSet = true
  }
}
