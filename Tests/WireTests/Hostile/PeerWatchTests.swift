import Base
import Testing

@testable import Wire

/// The parts that judge frames, without a connection.
@Suite struct PeerWatchTests {
  static let stream =
    Raw.preface + Raw.settings([(4, 100)]) + Raw.headers(1, ends: false) + Raw.data(1, [])
    + Raw.frame(0, flags: 8, stream: 1, [2, 9, 9, 0, 0]) + Raw.frame(0, flags: 8, stream: 1, [0])
    + Raw.frame(0, flags: 8, stream: 1, []) + Raw.ping()

  static func frames(_ pieces: [ArraySlice<UInt8>]) -> [FrameHead] {
    var scanner = FrameScanner(skippingPreface: true)
    var frames: [FrameHead] = []
    for piece in pieces {
      piece.withUnsafeBytes { bytes in
        var offset = 0
        while let frame = scanner.next(bytes, &offset) { frames.append(frame) }
        #expect(offset == bytes.count)
      }
    }
    #expect(!scanner.isMidway)
    return frames
  }

  @Test("frames are found however their bytes are cut")
  func everyCut() {
    let whole = Self.frames([Self.stream[...]])
    #expect(whole.map(\.kind) == [4, 1, 0, 0, 0, 0, 6])
    #expect(whole.map(\.contentCount)[2...5] == [0, 2, 0, 0])
    #expect(whole[1].stream == 1)
    for cut in 0...Self.stream.count {
      #expect(Self.frames([Self.stream[..<cut], Self.stream[cut...]]) == whole, "cut at \(cut)")
    }
    #expect(Self.frames(Self.stream.indices.map { Self.stream[$0...$0] }) == whole)
  }

  /// How many frames the budget lets pass, 20,000 at most.
  func left(_ kind: FrameBudget.Kind, _ budget: FrameBudget, _ now: Instant) -> Int {
    var budget = budget
    return (0..<20_000).first { _ in !budget.spend(kind, 1, now) } ?? 20_000
  }

  @Test("a budget is filled by time to where it began, and by what we send to where that ends")
  func budget() {
    var budget = FrameBudget()
    var now = Instant(nanoseconds: 5_000_000_000)
    #expect(left(.windowUpdate, budget, now) == 400)
    _ = budget.spend(.windowUpdate, 400, now)
    #expect(left(.windowUpdate, budget, now) == 0)
    // Twenty a second, also when it is looked at more often than there is a whole one.
    for _ in 0..<100 {
      now = now.advanced(byNanoseconds: 1_500_000)
      _ = budget.spend(.ping, 0, now)
    }
    #expect(left(.windowUpdate, budget, now) == 3)
    now = now.advanced(byMilliseconds: 1_000_000_000)
    _ = budget.spend(.ping, 0, now)
    #expect(left(.windowUpdate, budget, now) == 400)
    budget.earn(FrameBudget.Work(headers: 1, data: 99, ends: 1), side: .server)
    #expect(left(.windowUpdate, budget, now) == 800)
    budget.earn(FrameBudget.Work(headers: 1, data: 99_999, ends: 1), side: .server)
    #expect(left(.windowUpdate, budget, now) == 16_384)
    #expect(left(.settings, budget, now) == 100)
  }

  func head(_ kind: UInt8, _ stream: Int32, ends: Bool = false) -> FrameHead {
    FrameHead(length: 4, kind: kind, flags: ends ? 5 : 4, stream: stream)
  }

  @Test("numbers that were passed over can't be used, and late frames for streams that we ended do no harm")
  func ledger() {
    var ledger = StreamLedger()
    #expect(ledger.begin(head(1, 5)) == nil)
    #expect(ledger.begin(head(1, 3))?.code == HTTP2Code.protocolError)
    #expect(ledger.begin(head(0, 1))?.code == HTTP2Code.streamClosed)
    // Trailers, whether or not the stream is still open here.
    #expect(ledger.begin(head(0, 5)) == nil)
    #expect(ledger.begin(head(1, 5, ends: true)) == nil)
    #expect(ledger.begin(head(1, 5))?.code == HTTP2Code.streamClosed)
    #expect(ledger.begin(head(1, 7)) == nil)
    ledger.reset(7)
    #expect(ledger.begin(head(0, 7))?.code == HTTP2Code.streamClosed)
    // Later than any that is open: HTTP/2 itself knows it.
    #expect(ledger.begin(head(0, 9)) == nil)
    #expect(ledger.begin(head(1, 4)) == nil)
  }

  @Test("what the ledger has forgotten is let pass")
  func forgetful() {
    var ledger = StreamLedger()
    for index in 0..<1000 { #expect(ledger.begin(head(1, Int32(index * 4 + 1))) == nil) }
    for stream in stride(from: Int32(1), through: 41, by: 2) { #expect(ledger.begin(head(1, stream)) == nil) }
    #expect(ledger.begin(head(1, 3991))?.code == HTTP2Code.protocolError)
    #expect(ledger.begin(head(1, 3993)) == nil)
  }
}
