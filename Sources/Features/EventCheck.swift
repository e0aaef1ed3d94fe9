package import Base

/// What an event from a client must be before it is recorded. Peers are not believed.
///
/// Everything wrong is a ``Fault`` with code `invalidArgument` whose message begins with `events[i].field`, `i`
/// counting from 0 in the list given. Either all events of a list pass or none does.
package enum EventCheck {
  /// How far a client's clock may run ahead of ours. Phones and televisions drift by minutes; more is a broken clock,
  /// and its events would outrank everything true until we catch up with it.
  package static let aheadSecondsMax: Int64 = 5 * 60
  /// How late an event may be. 400 days let a client bring back a year of history with some slack; with the longest
  /// half-life that definitions allow (365 days) what is older counts less than half.
  package static let ageDaysMax: Int64 = 400

  package static func check(_ events: [Event], now: Timestamp) throws(Fault) {
    guard events.count <= Limits.eventsPerMessageMax else {
      throw Fault(
        .invalidArgument,
        "events has \(events.count) entries, at most \(Limits.eventsPerMessageMax) fit in a message: send them in parts"
      )
    }
    let latest = now.advanced(bySeconds: aheadSecondsMax)
    let earliest = now.advanced(bySeconds: -ageDaysMax * 86_400)
    for (index, event) in events.enumerated() {
      try check(event.id, "id", mayBeEmpty: false, index)
      try check(event.profileID, "profile_id", mayBeEmpty: false, index)
      try check(event.titleID, "title_id", mayBeEmpty: false, index)
      try check(event.surface, "surface", mayBeEmpty: true, index)
      try check(event.requestID, "request_id", mayBeEmpty: true, index)
      guard event.progress.isFinite, event.progress >= 0, event.progress <= 1 else {
        throw fault(index, "progress", "is \(event.progress), it must be from 0 to 1")
      }
      guard event.at <= latest else {
        throw fault(
          index, "at", "lies more than \(aheadSecondsMax / 60) minutes in the future: set the client's clock")
      }
      guard event.at >= earliest else {
        throw fault(index, "at", "is more than \(ageDaysMax) days ago, too old to be recorded")
      }
    }
  }

  private static func check(_ text: String, _ field: String, mayBeEmpty: Bool, _ index: Int) throws(Fault) {
    guard mayBeEmpty || !text.isEmpty else { throw fault(index, field, "is empty") }
    let count = text.utf8.count
    guard count <= Limits.idByteCountMax else {
      throw fault(index, field, "has \(count) bytes, at most \(Limits.idByteCountMax) are allowed")
    }
    var previous: UInt8 = 0
    for byte in text.utf8 {
      // C0, DEL, and C1 (which UTF-8 writes as C2 80 to C2 9F): they would break logs and tables downstream.
      let isControl = byte < 0x20 || byte == 0x7f || (previous == 0xc2 && byte < 0xa0)
      guard !isControl else { throw fault(index, field, "has a control character") }
      previous = byte
    }
  }

  private static func fault(_ index: Int, _ field: String, _ what: String) -> Fault {
    Fault(.invalidArgument, "events[\(index)].\(field) \(what)")
  }
}
