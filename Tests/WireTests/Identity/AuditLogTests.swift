import Base
import Testing

@testable import Wire

@Suite struct AuditLogTests {
  private let noon = Timestamp(seconds: 1_700_000_000)

  private func denial(_ peer: String, uri: String? = nil, method: String = "/a.B/C") -> AuditEvent {
    AuditEvent(.methodDenied, peer: peer, role: .edge, uri: uri, method: method, reason: "no")
  }

  @Test("a denial is one line of JSON with who, what and why")
  func line() {
    let lines = AuditLines()
    lines.log(time: ManualTime(now: noon)).record(denial("10.0.0.1:5", uri: "spiffe://d/edge/x"))
    let expected =
      #"{"time":"2023-11-14T22:13:20.000Z","event":"method_denied","peer":"10.0.0.1:5","role":"edge","#
      + #""uri":"spiffe://d/edge/x","method":"/a.B/C","reason":"no"}"# + "\n"
    #expect(lines.all == [expected])
  }

  @Test("what a peer sends stays one value on one line, and is cut")
  func escaping() {
    let lines = AuditLines()
    let text = "a\",\"role\":\"ops\n\u{0}\u{2028}\u{7f}\\é" + String(repeating: "x", count: 10_000)
    lines.log().record(AuditEvent(.identityRefused, peer: "p:1", subject: text, reason: "no"))
    let line = lines.all.first ?? ""
    #expect(line.contains(#""subject":"a\",\"role\":\"ops\u000a\u0000\u2028\u007f\\éxxx"#))
    #expect(line.utf8.count < 2 * JSONLine.textBytesMax)
    #expect(line.utf8.filter { $0 == UInt8(ascii: "\n") }.count == 1)
  }

  @Test("a flood of one cause is a few lines and a count, and another cause is still heard")
  func flood() {
    let time = ManualTime(now: noon)
    let lines = AuditLines()
    let log = lines.log(time: time, linesPerCauseMax: 3)
    // Another port each time is the same caller.
    for port in 0..<1237 { log.record(denial("10.0.0.1:\(port)")) }
    log.record(denial("10.0.0.2:1"))
    #expect(lines.all.count == 4 && lines.has("10.0.0.2:1"))
    log.tick()
    #expect(lines.all.count == 4)
    time.advance(milliseconds: Int64(AuditLog.windowMilliseconds))
    log.tick()
    #expect(lines.all.count == 5)
    #expect(lines.has(#""who":"10.0.0.1""#, #""left_out":1234"#, "and 1234 more like this"))
    log.record(denial("10.0.0.1:9"))
    #expect(lines.all.count == 6)
  }

  @Test("a flood of many causes is bounded too, and counted")
  func manyCauses() {
    let time = ManualTime(now: noon)
    let lines = AuditLines()
    let log = lines.log(time: time, linesMax: 50)
    let total = 100_000
    for number in 0..<total { log.record(denial("host-\(number):1")) }
    #expect(lines.all.count == 50)
    log.finish()
    let leftOut = lines.all.dropFirst(50).compactMap { line -> Int? in
      line.split(separator: #""left_out":"#).last.flatMap { Int($0.prefix { $0.isNumber }) }
    }
    #expect(leftOut.count == AuditLog.causesMax - 50 + 1)
    #expect(leftOut.reduce(50, +) == total)
    log.finish()
    #expect(lines.all.count == 50 + leftOut.count)
  }
}
