import Base

@testable import Wire

/// A server's connection without a socket.
final class ServerHarness: Harness {
  let counters = ServerCounters()
  let calls = HeldCalls()
  private var connection: ServerConnection?
  private let isGone = Flag()

  private static let table = MethodTable(FuzzMethods.all)
  private static let roles = Set(Role.allCases)

  /// What one run may hold is small, so that limits are reached.
  private static let limits: WireLimits = {
    var limits = WireLimits()
    limits.messageBytesMax = 2048
    limits.headerListBytesMax = 1024
    limits.concurrentStreamsMax = 6
    limits.streamWindowBytes = 4096
    limits.connectionBufferedBytesMax = 8192
    limits.sendQueueBytesMax = 512
    return limits
  }()

  init() {
    super.init(loop: FuzzLoop(), time: ManualTime(now: Timestamp(seconds: 1_700_000_000)))
    HeldCalls.current = calls
    let shared = ServerShared(
      methods: Self.table, limits: Self.limits, anonymousRoles: Self.roles, trustDomain: nil, time: time,
      counters: counters, jitter: { 1 }, audit: nil, observer: nil)
    let session = Session(side: .server, limits: Self.limits, time: time)
    let connection = ServerConnection(
      shared: shared, session: session, eventLoop: loop, address: "fuzz"
    ) { [isGone] in isGone.set() }
    let transport = Transport(session: session, tls: nil, owner: connection, limits: Self.limits)
    connection.attach(transport)
    self.connection = connection
    channel.begin(transport)
    settle()
  }

  func drain() {
    connection?.link.beginDrain()
    settle()
  }

  /// The peer goes. Nothing may be left of its connection.
  func finish() {
    calls.answer(.max)
    settle()
    peerLeaves()
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
    end()
    guard left == nil else { found("the connection is never freed") }
    FrameCheck.check(channel.output, fromServer: true)
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
private final class Flag: @unchecked Sendable {
  private(set) var isSet = false
  func set() {
    if isSet { found("told twice that the connection is gone") }
    isSet = true
  }
}
