/// What a person did with a title, rejections included.
package struct Event: Sendable, Equatable {
  package enum Kind: Int, Sendable, CaseIterable {
    /// Shown in a row.
    case impression = 1
    /// Rested on, then passed by.
    case hoverSkip = 2
    case click = 3
    case play = 4
    /// Watched on; `progress` says how far.
    case progress = 5
    case complete = 6
    /// Left soon after the start.
    case abandon = 7
    case like = 8
    case dislike = 9
    case addToList = 10
  }

  package static let idByteCountMax = 128

  /// The same id twice is the same event: it counts once.
  package var id: String
  package var profileID: String
  package var titleID: String
  package var kind: Kind
  /// When it happened, by the client's clock. Windows are in event time.
  package var at: Timestamp
  /// 0 to 1: how much of the title has been seen.
  package var progress: Float
  package var surface: String
  /// The Rank request whose reply showed the title, if any.
  package var requestID: String

  package init(
    id: String, profileID: String, titleID: String, kind: Kind, at: Timestamp, progress: Float = 0,
    surface: String = "", requestID: String = ""
  ) {
    self.id = id
    self.profileID = profileID
    self.titleID = titleID
    self.kind = kind
    self.at = at
    self.progress = progress
    self.surface = surface
    self.requestID = requestID
  }
}

/// What the event log says when the events are on the disk.
package struct RecordReceipt: Sendable, Equatable {
  /// Events that are durable now, those known before included.
  package var acceptedCount: Int
  /// Of these, events whose id had been recorded before.
  package var duplicateCount: Int
  /// The log position after the last of them.
  package var position: UInt64

  package init(acceptedCount: Int, duplicateCount: Int, position: UInt64) {
    self.acceptedCount = acceptedCount
    self.duplicateCount = duplicateCount
    self.position = position
  }
}
