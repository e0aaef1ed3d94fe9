package import Base
internal import CMessages

/// `RecordRequest` and `RecordResponse`.
package enum EventCodec {
  // Eight fields an event and the event itself, and as much again for fields of a newer client.
  private static let request = MessageShape.request(
    marquee__v1__record_request__init, fieldCountMax: Limits.eventsPerMessageMax * 18)
  private static let reply = MessageShape.reply(marquee__v1__record_response__init, fieldCountMax: 256)

  /// Every event of the message is sound, or none is taken: the fault names the first that isn't.
  package static func decodeEvents(_ bytes: [UInt8]) throws(Fault) -> [Event] {
    try request.decode(bytes) { message throws(Fault) in
      try Field.list(message.events, message.n_events, "events", max: Limits.eventsPerMessageMax, event)
    }
  }

  package static func encode(_ events: some Collection<Event>) -> [UInt8] {
    var writer = ProtoWriter(capacity: events.count * 96)
    for event in events {
      writer.message(1) { inner in
        inner.text(1, event.id)
        inner.text(2, event.profileID)
        inner.text(3, event.titleID)
        inner.number(4, UInt64(event.kind.rawValue))
        inner.number(5, event.at.milliseconds)
        inner.float(6, event.progress)
        inner.text(7, event.surface)
        inner.text(8, event.requestID)
      }
    }
    return writer.bytes
  }

  package static func decodeReceipt(_ bytes: [UInt8]) throws(Fault) -> RecordReceipt {
    try reply.decode(bytes) { message throws(Fault) in
      guard message.duplicates <= message.accepted, let accepted = Int(exactly: message.accepted) else {
        throw Fault(.invalidArgument, "duplicates are more than accepted")
      }
      return RecordReceipt(
        acceptedCount: accepted, duplicateCount: Int(message.duplicates), position: message.position)
    }
  }

  package static func encode(_ receipt: RecordReceipt) -> [UInt8] {
    var writer = ProtoWriter()
    writer.number(1, UInt64(receipt.acceptedCount))
    writer.number(2, UInt64(receipt.duplicateCount))
    writer.number(3, receipt.position)
    return writer.bytes
  }

  private static func event(_ message: Marquee__V1__Event) throws(Fault) -> Event {
    guard let kind = Event.Kind(rawValue: Int(message.kind.rawValue)) else {
      throw Fault(.invalidArgument, "kind \(message.kind.rawValue) is no EventKind")
    }
    guard 0...1 ~= message.progress else {
      throw Fault(.invalidArgument, "progress \(message.progress) is not between 0 and 1")
    }
    let at = try Field.timestamp(message.at_ms, "at_ms")
    guard at.milliseconds > 0 else { throw Fault(.invalidArgument, "at_ms is required") }
    return Event(
      id: try Field.requiredText(message.id, "id", max: Event.idByteCountMax),
      profileID: try Field.requiredText(message.profile_id, "profile_id"),
      titleID: try Field.requiredText(message.title_id, "title_id"), kind: kind, at: at,
      progress: message.progress, surface: try Field.text(message.surface, "surface"),
      requestID: try Field.text(message.request_id, "request_id"))
  }
}
