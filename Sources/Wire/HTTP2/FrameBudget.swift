internal import Base

/// How many frames that do no work a peer may send: a token bucket for each kind, filled by time and by what we sent.
///
/// A peer that is sent a lot may answer with a lot (a WINDOW_UPDATE or two for each DATA frame, a PING now and then to
/// measure the line), so what it may send grows with it; a peer for which we do nothing soon has to be quiet.
struct FrameBudget {
  enum Kind: Int, CaseIterable {
    case ping, settings, priority, emptyData, windowUpdate, reset, fault, other

    var name: String {
      switch self {
      case .ping: "PING frames"
      case .settings: "SETTINGS frames"
      case .priority: "PRIORITY frames"
      case .emptyData: "empty DATA frames"
      case .windowUpdate: "WINDOW_UPDATE frames"
      case .reset: "RST_STREAM frames"
      case .fault: "requests that break HTTP/2"
      case .other: "frames of kinds that mean nothing here"
      }
    }

    fileprivate var terms: Terms {
      switch self {
      case .ping: Terms(burst: 100, perSecond: 1, earnedMax: 400)
      case .settings: Terms(burst: 100, perSecond: 1, earnedMax: 100)
      case .priority: Terms(burst: 200, perSecond: 5, earnedMax: 400)
      case .emptyData: Terms(burst: 100, perSecond: 5, earnedMax: 400)
      // Windows of 64 MiB in steps of 16 KiB, each opened by two frames.
      case .windowUpdate: Terms(burst: 400, perSecond: 20, earnedMax: 16_384)
      // All calls of a connection may be given up at once, more than once.
      case .reset: Terms(burst: 400, perSecond: 50, earnedMax: 800)
      case .fault: Terms(burst: 200, perSecond: 10, earnedMax: 200)
      case .other: Terms(burst: 200, perSecond: 5, earnedMax: 200)
      }
    }
  }

  fileprivate struct Terms {
    /// What a peer has at the start, and what time alone fills up to.
    var burst: Int
    var perSecond: Int
    /// What our own sending fills up to.
    var earnedMax: Int
  }

  /// What we sent since the last look.
  struct Work {
    var headers = 0
    var data = 0
    var ends = 0
  }

  /// Thousandths of a frame, a kind.
  private var levels: [Int]
  private var filled: Instant?

  init() { levels = Kind.allCases.map { $0.terms.burst * 1000 } }

  /// Counts `count` frames; false once that is too many.
  mutating func spend(_ kind: Kind, _ count: Int = 1, _ now: Instant) -> Bool {
    fill(now)
    levels[kind.rawValue] -= count * 1000
    return levels[kind.rawValue] >= 0
  }

  mutating func earn(_ work: Work, side: Session.Side) {
    earn(.ping, work.headers + work.data)
    earn(.windowUpdate, 4 * (work.headers + work.data))
    earn(.priority, work.headers)
    earn(.emptyData, work.headers)
    // A client's resets answer our replies, a server's answer our requests.
    earn(.reset, side == .server ? work.ends : work.headers)
  }

  private mutating func earn(_ kind: Kind, _ count: Int) {
    let top = kind.terms.earnedMax * 1000
    guard levels[kind.rawValue] < top else { return }
    levels[kind.rawValue] = min(top, levels[kind.rawValue] + count * 1000)
  }

  private mutating func fill(_ now: Instant) {
    guard let filled else {
      self.filled = now
      return
    }
    // An hour fills everything; longer would only overflow.
    let milliseconds = Int(min(now.nanoseconds(since: filled) / 1_000_000, 3_600_000))
    guard milliseconds > 0 else { return }
    // Not `now`, unless that is far: the rest of a millisecond would be lost each time.
    self.filled = milliseconds < 3_600_000 ? filled.advanced(byMilliseconds: UInt64(milliseconds)) : now
    for kind in Kind.allCases {
      let terms = kind.terms
      let level = levels[kind.rawValue]
      guard level < terms.burst * 1000 else { continue }
      levels[kind.rawValue] = min(terms.burst * 1000, level + milliseconds * terms.perSecond)
    }
  }
}
