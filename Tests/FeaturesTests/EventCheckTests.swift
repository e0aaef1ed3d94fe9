import Base
import Features
import Testing

@Suite("EventCheck")
struct EventCheckTests {
  struct Case: Sendable, CustomTestStringConvertible {
    var testDescription: String
    var beginning: String
    var change: @Sendable (inout Event) -> Void
  }

  static let cases: [Case] = {
    let long = String(repeating: "x", count: 129)
    let texts: [(String, any WritableKeyPath<Event, String> & Sendable, Bool)] = [
      ("id", \.id, true), ("profile_id", \.profileID, true), ("title_id", \.titleID, true),
      ("surface", \.surface, false), ("request_id", \.requestID, false),
    ]
    var cases: [Case] = []
    for (name, path, isNeeded) in texts {
      if isNeeded {
        cases.append(
          Case(testDescription: "\(name) empty", beginning: "events[2].\(name) is empty") {
            $0[keyPath: path] = ""
          })
      }
      cases.append(
        Case(testDescription: "\(name) long", beginning: "events[2].\(name) has 129 bytes") {
          $0[keyPath: path] = long
        })
      for (label, text) in [
        ("newline", "a\nb"), ("NUL", "a\0"), ("DEL", "\u{7f}"), ("C1", "a\u{85}b"),
        ("unit separator", "\u{1f}"),
      ] {
        cases.append(
          Case(testDescription: "\(name) \(label)", beginning: "events[2].\(name) has a control") {
            $0[keyPath: path] = text
          })
      }
    }
    for value in [-0.001, 1.001, Float.nan, .infinity, -.infinity] as [Float] {
      cases.append(
        Case(testDescription: "progress \(value)", beginning: "events[2].progress is \(value)") {
          $0.progress = value
        })
    }
    let aheadMilliseconds = EventCheck.aheadSecondsMax * 1000
    let ageMilliseconds = EventCheck.ageDaysMax * 86_400_000
    for (label, at) in [
      ("ahead", testNow.milliseconds + aheadMilliseconds + 1), ("at the end of time", Int64.max),
    ] {
      cases.append(
        Case(testDescription: label, beginning: "events[2].at lies") { $0.at = Timestamp(milliseconds: at) })
    }
    for (label, at) in [
      ("too old", testNow.milliseconds - ageMilliseconds - 1), ("at the beginning of time", Int64.min),
    ] {
      cases.append(
        Case(testDescription: label, beginning: "events[2].at is more") {
          $0.at = Timestamp(milliseconds: at)
        })
    }
    return cases
  }()

  @Test("a bad field is refused with its name and the event's index", arguments: cases)
  func refused(_ wrong: Case) throws {
    var events = (0..<4).map { event("e\($0)") }
    wrong.change(&events[2])
    let fault = try #require(thrown { try EventCheck.check(events, now: testNow) })
    #expect(fault.code == .invalidArgument)
    #expect(fault.message.hasPrefix(wrong.beginning), "\(fault.message)")
  }

  @Test("what lies just within every limit passes")
  func boundaries() throws {
    let longest = String(repeating: "é", count: 64)
    var first = event(longest, profile: longest, title: longest, .progress, progress: 1)
    first.surface = longest
    first.requestID = longest
    first.at = testNow.advanced(bySeconds: EventCheck.aheadSecondsMax)
    var second = event("e", progress: 0)
    second.at = testNow.advanced(bySeconds: -EventCheck.ageDaysMax * 86_400)
    // U+00A0 is C2 A0 in UTF-8: next to the C1 controls, and not one.
    let third = event("ключ-\u{a0}-鍵-🔑")
    try EventCheck.check([first, second, third], now: testNow)
    try EventCheck.check([], now: testNow)
  }

  @Test("more events than a message holds are refused")
  func tooMany() throws {
    let events = (0...Limits.eventsPerMessageMax).map { event("e\($0)") }
    try EventCheck.check(Array(events.dropLast()), now: testNow)
    let fault = try #require(thrown { try EventCheck.check(events, now: testNow) })
    #expect(fault.code == .invalidArgument)
    #expect(fault.message.hasPrefix("events has 1001 entries"))
  }
}
