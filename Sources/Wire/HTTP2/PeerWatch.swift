internal import Base

/// Why a connection has to end: the GOAWAY's code, and its debug data.
struct Violation: Equatable {
  var code: UInt32
  var text: String

  init(_ code: UInt32, _ text: String) {
    self.code = code
    self.text = text
  }
}

/// Judges each frame of a peer before HTTP/2 sees it: floods, PINGs out of season, and what nghttp2 lets pass against
/// RFC 9113. Lives with its session.
struct PeerWatch {
  /// nghttp2 counts as many, but says nothing to the peer when it is over.
  private static let continuationsMax = 8
  /// Header blocks judged at a time: whether one was sound shows only once nghttp2 has read it.
  private static let unreadBlocksMax = 64

  /// New streams are refused by GOAWAY, and those that were under way are passed over.
  var isLeaving = false
  private let side: Session.Side
  private let time: any TimeSource
  private var scanner: FrameScanner
  private var budget = FrameBudget()
  private var strikes: PingStrikes
  private var ledger = StreamLedger()

  /// Header blocks that began, and that nghttp2 has not read yet.
  private(set) var unreadBlocks = 0
  /// A block has begun, and its last frame is not here.
  private var isInBlock = false
  private var blockNumber: UInt64 = 0
  private var continuations = 0
  private var sent: UInt64 = 0
  private var callsOpen = 0
  /// When the frame or header block that isn't whole yet was first seen so, and which one it was.
  private(set) var partialSince = Instant.distantFuture
  private var partialNumber: UInt64 = 0

  init(side: Session.Side, limits: WireLimits, time: any TimeSource) {
    self.side = side
    self.time = time
    scanner = FrameScanner(skippingPreface: side == .server)
    strikes = PingStrikes(limits)
  }

  var wantsReading: Bool { unreadBlocks >= Self.unreadBlocksMax }

  /// The next frame that begins in `bytes`; see ``FrameScanner/next(_:_:)``.
  mutating func next(_ bytes: UnsafeRawBufferPointer, _ offset: inout Int) -> FrameHead? {
    scanner.next(bytes, &offset)
  }

  // MARK: Judging

  mutating func judge(_ frame: FrameHead) -> Violation? {
    switch frame.kind {
    case FrameHead.Kind.data:
      if frame.contentCount == 0, !frame.has(FrameHead.Flag.endStream), let violation = spend(.emptyData) {
        return violation
      }
      return side == .server ? ledger.begin(frame) : nil
    case FrameHead.Kind.headers:
      unreadBlocks += 1
      continuations = 0
      isInBlock = !frame.has(FrameHead.Flag.endHeaders)
      blockNumber = scanner.count
      return side == .server ? ledger.begin(frame) : nil
    case FrameHead.Kind.continuation:
      if frame.has(FrameHead.Flag.endHeaders) { isInBlock = false }
      continuations += 1
      guard continuations <= Self.continuationsMax else {
        return Violation(HTTP2Code.enhanceYourCalm, "too many CONTINUATION frames in one header block")
      }
      return nil
    case FrameHead.Kind.reset:
      ledger.reset(frame.stream)
      return spend(.reset)
    case FrameHead.Kind.ping: return spend(.ping) ?? strike(frame)
    case FrameHead.Kind.priority: return spend(.priority)
    case FrameHead.Kind.settings: return spend(.settings)
    case FrameHead.Kind.windowUpdate: return spend(.windowUpdate)
    default: return spend(.other)
    }
  }

  private mutating func spend(_ kind: FrameBudget.Kind, _ count: Int = 1) -> Violation? {
    guard !budget.spend(kind, count, time.instant) else { return nil }
    return Violation(HTTP2Code.enhanceYourCalm, "too many \(kind.name)")
  }

  private mutating func strike(_ frame: FrameHead) -> Violation? {
    guard side == .server, !frame.has(FrameHead.Flag.acknowledges) else { return nil }
    let hasCalls = callsOpen > 0 || unreadBlocks > 0
    guard !strikes.pinged(time.instant, hasCalls: hasCalls, sent: sent) else { return nil }
    return Violation(HTTP2Code.enhanceYourCalm, "too_many_pings")
  }

  /// What was sent since the last call lets the peer answer.
  mutating func credit(_ work: FrameBudget.Work, callsOpen: Int) {
    self.callsOpen = callsOpen
    guard work.headers + work.data > 0 else { return }
    sent += UInt64(work.headers + work.data)
    budget.earn(work, side: side)
  }

  /// nghttp2 has read all frames that were judged: `deliveredBlocks` of the header blocks among them were sound, and
  /// `faultResets` streams were reset for what their frames said.
  mutating func settle(deliveredBlocks: Int, faultResets: Int, callsOpen: Int) -> Violation? {
    self.callsOpen = callsOpen
    // A block in the making is neither.
    let unread = isInBlock || (scanner.isMidway && scanner.current.kind == FrameHead.Kind.headers) ? 1 : 0
    let faults = max(0, unreadBlocks - unread - deliveredBlocks) + faultResets
    unreadBlocks = min(unreadBlocks, unread)
    // A client has replies in flight when it gives calls up, and a server that leaves takes no more requests: nothing is
    // wrong with the peer then.
    guard faults > 0, side == .server, !isLeaving else { return nil }
    return spend(.fault, faults)
  }

  /// Notes whether the peer has left something half-said; true when that is new.
  mutating func notePartial() -> Bool {
    let isSlow = isInBlock || (scanner.isMidway && !isInData)
    guard isSlow else {
      partialSince = .distantFuture
      return false
    }
    let number = isInBlock ? blockNumber : scanner.count
    if partialSince != .distantFuture, partialNumber == number { return false }
    partialNumber = number
    partialSince = time.instant
    return true
  }

  /// A body that stops is its call's concern.
  private var isInData: Bool { scanner.isInPayload && scanner.current.kind == FrameHead.Kind.data }
}
