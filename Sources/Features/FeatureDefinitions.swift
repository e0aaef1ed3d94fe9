package import Base

/// What features mean: the one definition that serving, training and parity share. Travels in the snapshot as its
/// `features` segment; its digest goes into every impression and training row.
package struct FeatureDefinitions: Sendable, Equatable {
  /// What an event says about a profile's taste: above zero for, below zero against. A `progress` event counts its
  /// weight times the progress, so a finished title comes near to a completed one.
  package struct KindWeights: Sendable, Equatable {
    package var click = 0.1
    package var play = 0.3
    package var progress = 0.7
    package var complete = 1.0
    package var like = 1.5
    package var addToList = 0.6
    package var hoverSkip = -0.1
    package var abandon = -0.6
    package var dislike = -2.0

    package init() {}

    package subscript(kind: Event.Kind) -> Double {
      switch kind {
      case .impression: 0
      case .hoverSkip: hoverSkip
      case .click: click
      case .play: play
      case .progress: progress
      case .complete: complete
      case .abandon: abandon
      case .like: like
      case .dislike: dislike
      case .addToList: addToList
      }
    }
  }

  /// How a profile's events become its vector.
  package struct Profile: Sendable, Equatable {
    /// An event's weight halves in this time.
    package var halfLifeDays = 14.0
    /// Titles that make the vector, the latest ones.
    package var titleCountMax = 50
    /// One title's weight, before decay, lies between minus this and this, so that no title owns the vector.
    package var titleWeightMax = 3.0

    package init() {}
  }

  /// The row of titles begun and not finished, and what counts as finished.
  package struct ContinueWatching: Sendable, Equatable {
    /// From here on a title has been begun …
    package var progressMin = 0.03
    /// … and from here on it is finished, though no `complete` came: credits are seldom watched.
    package var progressMax = 0.95
    package var titleCountMax = 20

    package init() {}
  }

  /// Popularity in the region.
  package struct Trending: Sendable, Equatable {
    package var halfLifeMinutes = 180.0
    /// Older events count nothing. At most a day: that is how far the tiles reach.
    package var windowMinutes = 1440.0
    package var play = 1.0
    package var complete = 1.0
    package var like = 1.0
    package var addToList = 0.5

    package init() {}
  }

  package var kindWeights = KindWeights()
  package var profile = Profile()
  package var continueWatching = ContinueWatching()
  /// Titles that "because you watched" rows may be about.
  package var becauseTitleCountMax = 3
  package var trending = Trending()

  package init() {}
}
