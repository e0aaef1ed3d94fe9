package import Base
import Foundation

/// What a history says about a profile at a moment: the one engine, online and offline.
///
/// A pure function of (history, definitions, now): the same three give the same values to the last bit, whatever the
/// order in which events arrived. Decay happens here, when it is read. An event later than `now`, by a client whose
/// clock runs ahead, counts as of now; a point-in-time join must leave out what was not recorded by then.
package struct ProfileFeatures: Sendable, Equatable {
  /// All that the profile did with one title, as far as its events are kept.
  package struct Title: Sendable, Equatable {
    package var id: String
    /// What it is worth in the profile's vector, decayed; below zero is against the title. 0 for a title that says nothing,
    /// or for which the vector has no room.
    package var weight: Float = 0
    /// The latest event that counted for the weight.
    package var at = Timestamp(milliseconds: .min)
    /// Seen to the end.
    package var isCompleted = false
    /// Not to be shown: disliked and not liked since, or abandoned and not taken up again.
    package var isRejected = false
    /// Watched with liking, and among the latest of those: what a "because you watched" row can be about.
    package var isBecause = false
    /// Begun and not finished; not followed by completing, abandoning or disliking it.
    package var started: Started?

    package init(id: String) { self.id = id }
  }

  package struct Started: Sendable, Equatable {
    package var progress: Float
    package var at: Timestamp

    package init(progress: Float, at: Timestamp) {
      self.progress = progress
      self.at = at
    }
  }

  /// What the events are about: the title last touched first, each once.
  package private(set) var titles: [Title] = []
  /// Places in `titles` of what is to be gone on with, newest first.
  package private(set) var continueWatching: [Int] = []
  /// Other titles that were seen to the end, though the events that said so are gone.
  package private(set) var finished: [String] = []

  package init() {}

  /// No title speaks for anything: the profile's vector would be empty or only say what not to show.
  package var isCold: Bool { !titles.contains { $0.weight > 0 } }

  package static func compute(
    _ history: ProfileHistory, definitions: FeatureDefinitions, now: Timestamp
  ) -> ProfileFeatures {
    var (folds, places) = folds(history)
    for entry in history.entries {
      if let place = places[entry.titleID] { folds[place].add(entry, definitions: definitions, now: now) }
    }
    var features = ProfileFeatures(folds, definitions: definitions)
    for title in history.finished where Double(title.progress) > definitions.continueWatching.progressMax {
      if let place = places[title.titleID] {
        // What is being watched again is to be gone on with.
        if !features.continueWatching.contains(place) { features.titles[place].isCompleted = true }
      } else {
        features.finished.append(title.titleID)
      }
    }
    return features
  }

  /// A fold for each title, the one last touched first; titles of the same moment by their ids.
  private static func folds(_ history: ProfileHistory) -> ([TitleFold], places: [String: Int]) {
    var folds: [TitleFold] = []
    folds.reserveCapacity(history.entries.count)
    var places = [String: Int](minimumCapacity: history.entries.count)
    for entry in history.entries.reversed() where places[entry.titleID] == nil {
      places[entry.titleID] = folds.count
      folds.append(TitleFold(id: entry.titleID, touched: entry.at))
    }
    // They stand in their order, but for those of the same moment.
    guard zip(folds, folds.dropFirst()).contains(where: { $0.touched == $1.touched }) else {
      return (folds, places)
    }
    folds.sort { $0.touched != $1.touched ? $0.touched > $1.touched : $0.title.id < $1.title.id }
    for (place, fold) in folds.enumerated() { places[fold.title.id] = place }
    return (folds, places)
  }

  private init(_ folds: [TitleFold], definitions: FeatureDefinitions) {
    var (weightedCount, becauseCount) = (0, 0)
    titles.reserveCapacity(folds.count)
    for fold in folds {
      var title = fold.title
      title.isRejected = fold.isRejected
      let weight = fold.weight(max: definitions.profile.titleWeightMax)
      if weight != 0, weightedCount < definitions.profile.titleCountMax {
        title.weight = weight
        weightedCount += 1
      }
      if fold.isWatched, weight > 0, !fold.isRejected, becauseCount < definitions.becauseTitleCountMax {
        title.isBecause = true
        becauseCount += 1
      }
      titles.append(title)
    }
    let begun = titles.indices.filter { titles[$0].started != nil }
    let latestFirst = begun.sorted { isGoneOnWith($0, before: $1) }
    continueWatching = Array(latestFirst.prefix(definitions.continueWatching.titleCountMax))
  }

  private func isGoneOnWith(_ left: Int, before right: Int) -> Bool {
    guard let one = titles[left].started?.at, let other = titles[right].started?.at else { return false }
    return one != other ? one > other : titles[left].id < titles[right].id
  }
}

/// One title's events, folded oldest first.
private struct TitleFold {
  var title: ProfileFeatures.Title
  let touched: Timestamp
  var raw = 0.0
  var decayed = 0.0
  var isWatched = false
  var isDisliked = false
  var isAbandoned = false

  init(id: String, touched: Timestamp) {
    title = ProfileFeatures.Title(id: id)
    self.touched = touched
  }

  var isRejected: Bool { isDisliked || isAbandoned }

  /// The bound is on the undecayed sum, so the decay of a bounded title goes on.
  func weight(max: Double) -> Float {
    let excess = Swift.max(1, abs(raw) / max)
    return Float(decayed / excess)
  }

  mutating func add(_ entry: ProfileHistory.Entry, definitions: FeatureDefinitions, now: Timestamp) {
    var value = definitions.kindWeights[entry.kind]
    if entry.kind == .progress { value *= Double(entry.progress) }
    if value != 0 {
      let age = Swift.max(0, Double(now.milliseconds) - Double(entry.at.milliseconds))
      raw += value
      decayed += value * exp2(-age / (definitions.profile.halfLifeDays * 86_400_000))
      title.at = entry.at
    }
    switch entry.kind {
    case .impression, .hoverSkip, .click: break
    case .play:
      isWatched = true
      isAbandoned = false
    case .progress:
      isWatched = true
      isAbandoned = false
      addProgress(entry, definitions.continueWatching)
    case .complete:
      isWatched = true
      title.isCompleted = true
      isAbandoned = false
      title.started = nil
    case .abandon:
      isAbandoned = true
      title.started = nil
    case .like:
      isDisliked = false
      isAbandoned = false
    case .dislike:
      isDisliked = true
      title.started = nil
    case .addToList: isAbandoned = false
    }
  }

  private mutating func addProgress(
    _ entry: ProfileHistory.Entry, _ limits: FeatureDefinitions.ContinueWatching
  ) {
    let progress = Double(entry.progress)
    if progress > limits.progressMax {
      title.isCompleted = true
      title.started = nil
    } else if progress >= limits.progressMin {
      title.started = ProfileFeatures.Started(progress: entry.progress, at: entry.at)
    } else {
      title.started = nil
    }
  }
}
