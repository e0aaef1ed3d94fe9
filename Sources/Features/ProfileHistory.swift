package import Base

/// What one profile has done lately: at most ``Limits/recentEventCountMax`` compact records, oldest first.
///
/// Which events it keeps is a function of the set of events inserted, whatever their order and however often:
/// - impressions are not kept: they weigh nothing, and one page of rows would push out all that was watched;
/// - of a title's `progress` events the latest is kept, as it says all that the earlier ones said;
/// - of hover-skips and clicks the 30 latest, of all other kinds the 70 latest, so that browsing an evening through
///   doesn't erase what was watched.
/// "Latest" is by event time; at the same millisecond by kind and then by the hash of the event's id.
///
/// Beside the events stand the ``Limits/finishedTitleCountMax`` titles that were last seen to the end: who has watched more
/// than the events tell would be offered it again.
package struct ProfileHistory: Sendable, Equatable {
  /// 40 bytes, as ``Limits/recentEventCountMax`` reckons, when the title's id has at most 15 bytes; longer ids add
  /// their bytes and 32.
  package struct Entry: Sendable, Equatable {
    package var titleID: String
    package var at: Timestamp
    package var idHash: UInt64
    package var progress: Float
    package var kind: Event.Kind

    package init(_ event: Event) {
      titleID = event.titleID
      at = event.at
      idHash = eventHash(event.id)
      progress = event.progress
      kind = event.kind
    }

    fileprivate static func < (left: Entry, right: Entry) -> Bool {
      if left.at != right.at { return left.at < right.at }
      if left.kind != right.kind { return left.kind.rawValue < right.kind.rawValue }
      return left.idHash < right.idHash
    }

    fileprivate var isBrowsing: Bool { kind == .hoverSkip || kind == .click }
  }

  /// A title seen to the end or nearly so, by the latest event that says it.
  package struct Finished: Sendable, Equatable {
    package var titleID: String
    package var at: Timestamp
    /// 1 for a title that was completed.
    package var progress: Float

    fileprivate static func < (left: Finished, right: Finished) -> Bool {
      if left.at != right.at { return left.at < right.at }
      if left.titleID != right.titleID { return left.titleID < right.titleID }
      return left.progress < right.progress
    }
  }

  /// Progress from which a title is remembered; what counts as finished, the definitions say.
  package static let finishedProgressMin: Float = 0.9

  package static let browsingEventCountMax = 30
  package static let watchingEventCountMax = Limits.recentEventCountMax - browsingEventCountMax

  /// Oldest first.
  package private(set) var entries: [Entry] = []
  private var browsingCount = 0
  /// Each title once, the one finished longest ago first.
  package private(set) var finished: [Finished] = []

  package init() {}

  package init(_ events: some Sequence<Event>) {
    for event in events { insert(event) }
  }

  package var isEmpty: Bool { entries.isEmpty }

  /// The latest event's time.
  package var latest: Timestamp? { entries.last?.at }

  package mutating func insert(_ event: Event) {
    guard event.kind != .impression else { return }
    insert(Entry(event))
  }

  /// The titles with the latest times stay, so what stays hangs on the set of events and not on their order.
  private mutating func remember(_ entry: Entry) {
    let progress = entry.kind == .complete ? 1 : entry.kind == .progress ? entry.progress : 0
    guard progress >= Self.finishedProgressMin else { return }
    let title = Finished(titleID: entry.titleID, at: entry.at, progress: progress)
    if let known = finished.firstIndex(where: { $0.titleID == title.titleID }) {
      guard finished[known] < title else { return }
      finished.remove(at: known)
    } else if finished.count == Limits.finishedTitleCountMax {
      guard let first = finished.first, first < title else { return }
      finished.removeFirst()
    }
    var place = finished.count
    while place > 0, title < finished[place - 1] { place -= 1 }
    finished.insert(title, at: place)
  }

  private mutating func insert(_ entry: Entry) {
    remember(entry)
    guard !entries.contains(where: { $0.idHash == entry.idHash }) else { return }
    if entry.kind == .progress,
      let index = entries.firstIndex(where: { $0.kind == .progress && $0.titleID == entry.titleID })
    {
      guard entries[index] < entry else { return }
      entries.remove(at: index)
    }
    // Events mostly come in order, so the search starts at the end.
    var place = entries.count
    while place > 0, entry < entries[place - 1] { place -= 1 }
    let isFull =
      entry.isBrowsing
      ? browsingCount == Self.browsingEventCountMax
      : entries.count - browsingCount == Self.watchingEventCountMax
    if isFull, let oldest = entries.firstIndex(where: { $0.isBrowsing == entry.isBrowsing }) {
      guard oldest < place else { return }
      entries.remove(at: oldest)
      place -= 1
    } else if entry.isBrowsing {
      browsingCount += 1
    }
    entries.insert(entry, at: place)
  }
}
