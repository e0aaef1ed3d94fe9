import Base
import Testing
import Wire

@Suite struct EventCodecTests {
  private func event(_ change: (inout Event) -> Void = { _ in }) -> Event {
    var event = Event(
      id: "e1", profileID: "p", titleID: "t", kind: .play, at: Timestamp(milliseconds: 1_700_000_000_000))
    change(&event)
    return event
  }

  private func fault(_ events: [Event]) -> Fault? { fault(EventCodec.encode(events)) }

  private func fault(_ bytes: [UInt8]) -> Fault? {
    do {
      _ = try EventCodec.decodeEvents(bytes)
      return nil
    } catch { return error }
  }

  @Test("the event and the field that is wrong are named")
  func naming() {
    let changes: [(String, (inout Event) -> Void)] = [
      ("id is required", { $0.id = "" }), ("profile_id is required", { $0.profileID = "" }),
      ("title_id is required", { $0.titleID = "" }),
      ("at_ms is required", { $0.at = Timestamp(milliseconds: 0) }),
      ("at_ms -1", { $0.at = Timestamp(milliseconds: -1) }),
      ("at_ms 9223372036854775807", { $0.at = Timestamp(milliseconds: .max) }),
      ("progress nan", { $0.progress = .nan }), ("progress 1.5", { $0.progress = 1.5 }),
      ("progress -0.1", { $0.progress = -0.1 }), ("progress inf", { $0.progress = .infinity }),
      ("id has 129 bytes", { $0.id = String(repeating: "x", count: 129) }),
      ("surface has 129 bytes", { $0.surface = String(repeating: "x", count: 129) }),
      ("request_id has 129 bytes", { $0.requestID = String(repeating: "x", count: 129) }),
      ("title_id has a NUL", { $0.titleID = "a\0b" }),
    ]
    for (text, change) in changes {
      let fault = fault([event(), event(change)])
      #expect(fault?.code == .invalidArgument)
      #expect(fault?.message.hasPrefix("RecordRequest: events") == true)
      #expect(fault?.message.contains(text) == true, "\(fault?.message ?? "taken: \(text)")")
      if !text.contains("NUL") { #expect(fault?.message.contains("events[1].") == true) }
    }
  }

  @Test("a kind of event that nobody knows is refused")
  func kinds() {
    for kind: UInt8 in [0, 11, 127] {
      let bytes = field(1, raw(field(1, "e"), field(2, "p"), field(3, "t"), field(4, kind), field(5, 1)))
      #expect(fault(bytes)?.message == "RecordRequest: events[0].kind \(kind) is no EventKind")
    }
  }

  @Test("a thousand events are a message, one more is too many")
  func count() {
    let events = Array(repeating: event(), count: Limits.eventsPerMessageMax)
    #expect(fault(events) == nil)
    #expect(fault(events + [event()])?.message.contains("events has 1001 elements, more than 1000") == true)
  }

  @Test("no events are a message too")
  func empty() throws {
    #expect(try EventCodec.decodeEvents([]).isEmpty)
  }

  @Test("a receipt with more duplicates than events is refused")
  func receipt() {
    #expect(throws: Fault.self) { try EventCodec.decodeReceipt(raw(field(1, 1), field(2, 2))) }
  }
}
