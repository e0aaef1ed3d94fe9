package import Base

/// What a profile once did with a title, as a catalogue workspace keeps it.
package struct Interaction: Equatable, Sendable {
  package var profileID: String
  package var titleID: String
  package var kind: Event.Kind
  package var at: Timestamp
  /// 0 to 1: how much of the title has been seen.
  package var progress: Float

  package init(profileID: String, titleID: String, kind: Event.Kind, at: Timestamp, progress: Float = 0) {
    self.profileID = profileID
    self.titleID = titleID
    self.kind = kind
    self.at = at
    self.progress = progress
  }
}

extension Event.Kind {
  /// The name in interaction files.
  package var fileName: String {
    switch self {
    case .impression: "impression"
    case .hoverSkip: "hover_skip"
    case .click: "click"
    case .play: "play"
    case .progress: "progress"
    case .complete: "complete"
    case .abandon: "abandon"
    case .like: "like"
    case .dislike: "dislike"
    case .addToList: "add_to_list"
    }
  }

  package init?(fileName: some StringProtocol) {
    guard let kind = Self.allCases.first(where: { $0.fileName == fileName }) else { return nil }
    self = kind
  }

  /// How much this says that the profile wants more of such titles: 0 (nothing, or a rejection) to 1.
  ///
  /// One table for co-watching, popularity and a profile's vector, so that they can't disagree.
  package func interest(progress: Float) -> Float {
    switch self {
    case .complete, .like: 1
    case .progress: progress >= 0.25 ? min(progress, 1) : 0
    case .addToList: 0.6
    case .play: 0.3
    case .click: 0.1
    case .impression, .hoverSkip, .abandon, .dislike: 0
    }
  }

  /// Whether this says that the profile does not want the title.
  package var isRejection: Bool {
    switch self {
    case .hoverSkip, .abandon, .dislike: true
    case .impression, .click, .play, .progress, .complete, .like, .addToList: false
    }
  }
}
