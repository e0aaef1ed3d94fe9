internal import Base

/// Something that a person did with a title.
public struct ViewerEvent: Sendable, Equatable {
  public enum Kind: Sendable, CaseIterable {
    case impression, hoverSkip, click, play, progress, complete, abandon, like, dislike, addToList
  }

  /// Unique, made by the caller, 1 to 128 bytes: the same id again is the same event, which makes retries harmless.
  public var id: String
  public var profile: String
  public var title: String
  public var kind: Kind
  /// When it happened: milliseconds since 1970-01-01 UTC.
  public var atMilliseconds: Int64
  /// 0 to 1: how much of the title has been seen.
  public var progress: Float
  public var surface: String
  /// The ``RankResult/requestID`` that showed the title, if any.
  public var requestID: String

  public init(
    id: String, profile: String, title: String, kind: Kind, atMilliseconds: Int64, progress: Float = 0,
    surface: String = "", requestID: String = ""
  ) {
    self.id = id
    self.profile = profile
    self.title = title
    self.kind = kind
    self.atMilliseconds = atMilliseconds
    self.progress = progress
    self.surface = surface
    self.requestID = requestID
  }

  var event: Event {
    Event(
      id: id, profileID: profile, titleID: title, kind: kind.wire,
      at: Timestamp(milliseconds: atMilliseconds), progress: progress, surface: surface, requestID: requestID)
  }
}

extension ViewerEvent.Kind {
  var wire: Event.Kind {
    switch self {
    case .impression: .impression
    case .hoverSkip: .hoverSkip
    case .click: .click
    case .play: .play
    case .progress: .progress
    case .complete: .complete
    case .abandon: .abandon
    case .like: .like
    case .dislike: .dislike
    case .addToList: .addToList
    }
  }
}

/// What the fleet says once events are durable.
public struct RecordResult: Sendable, Equatable {
  /// Events that are durable now, those known before included.
  public let accepted: Int
  /// Of these, events whose id had been recorded before: a retry after a lost answer shows here.
  public let duplicates: Int
}
