package import Base
import Foundation

/// What a history says about a profile at a moment: the one engine, online and offline.
///
/// A pure function of (history, definitions, now): the same three give the same values to the last bit, whatever the
/// order in which events arrived. Decay happens here, when it is read. An event later than `now`, by a client whose
/// clock runs ahead, counts as of now; a point-in-time join must leave out what was not recorded by then.
package struct ProfileFeatures: Sendable, Equatable {
  package struct WeightedTitle: Sendable, Equatable {
    package var titleID: String
    /// Decayed; below zero is against the title. Never zero.
    package var weight: Float
    /// The latest event that counted.
    package var at: Timestamp

    package init(titleID: String, weight: Float, at: Timestamp) {
      self.titleID = titleID
      self.weight = weight
      self.at = at
    }
  }

  package struct StartedTitle: Sendable, Equatable {
    package var titleID: String
    package var progress: Float
    package var at: Timestamp

    package init(titleID: String, progress: Float, at: Timestamp) {
      self.titleID = titleID
      self.progress = progress
      self.at = at
    }
  }

  /// What the profile's vector is made of: the latest titles, newest first, each once.
  package var weighted: [WeightedTitle] = []
  /// Seen to the end, though the events that said so may be gone.
  package var completed: Set<String> = []
  /// Begun and not finished, newest first; not followed by completing, abandoning or disliking it.
  package var continueWatching: [StartedTitle] = []
  /// Not to be shown: disliked and not liked since, or abandoned and not taken up again.
  package var rejected: Set<String> = []
  /// Watched with liking, newest first: what a "because you watched" row can be about.
  package var becauseOf: [String] = []
  /// All that the events are about, whatever they say: newest first, each once.
  package var met: [String] = []

  package init() {}

  /// No title speaks for anything: the profile's vector would be empty or only say what not to show.
  package var isCold: Bool { !weighted.contains { $0.weight > 0 } }

  package static func compute(
    _ history: ProfileHistory, definitions: FeatureDefinitions, now: Timestamp
  ) -> ProfileFeatures {
    var titles: [Title] = []
    var places: [String: Int] = [:]
    for entry in history.entries {
      let place = places[entry.titleID] ?? titles.count
      if place == titles.count {
        places[entry.titleID] = place
        titles.append(Title(id: entry.titleID))
      }
      titles[place].add(entry, definitions: definitions, now: now)
    }
    // Entries come oldest first, so titles last touched at the same moment keep an order that the history gives.
    titles.sort { $0.touched != $1.touched ? $0.touched > $1.touched : $0.id < $1.id }
    var features = ProfileFeatures(titles, definitions: definitions)
    // What is being watched again is to be gone on with.
    let started = Set(features.continueWatching.map(\.titleID))
    for title in history.finished
    where Double(title.progress) > definitions.continueWatching.progressMax
      && !started.contains(title.titleID)
    {
      features.completed.insert(title.titleID)
    }
    return features
  }

  private init(_ titles: [Title], definitions: FeatureDefinitions) {
    let limits = definitions.continueWatching
    met = titles.map(\.id)
    for title in titles {
      if title.isCompleted { completed.insert(title.id) }
      if title.isRejected { rejected.insert(title.id) }
      let weight = title.weight(max: definitions.profile.titleWeightMax)
      if weight != 0, weighted.count < definitions.profile.titleCountMax {
        weighted.append(WeightedTitle(titleID: title.id, weight: weight, at: title.counted))
      }
      if title.isWatched, weight > 0, !title.isRejected, becauseOf.count < definitions.becauseTitleCountMax {
        becauseOf.append(title.id)
      }
      if let started = title.started { continueWatching.append(started) }
    }
    continueWatching.sort { $0.at != $1.at ? $0.at > $1.at : $0.titleID < $1.titleID }
    if continueWatching.count > limits.titleCountMax {
      continueWatching.removeLast(continueWatching.count - limits.titleCountMax)
    }
  }
}

/// All that one profile did with one title, folded oldest first.
private struct Title {
  let id: String
  var raw = 0.0
  var decayed = 0.0
  var touched = Timestamp(milliseconds: .min)
  var counted = Timestamp(milliseconds: .min)
  var isWatched = false
  var isCompleted = false
  var isDisliked = false
  var isAbandoned = false
  var started: ProfileFeatures.StartedTitle?

  init(id: String) { self.id = id }

  var isRejected: Bool { isDisliked || isAbandoned }

  /// The bound is on the undecayed sum, so the decay of a bounded title goes on.
  func weight(max: Double) -> Float {
    let excess = Swift.max(1, abs(raw) / max)
    return Float(decayed / excess)
  }

  mutating func add(_ entry: ProfileHistory.Entry, definitions: FeatureDefinitions, now: Timestamp) {
    touched = entry.at
    var value = definitions.kindWeights[entry.kind]
    if entry.kind == .progress { value *= Double(entry.progress) }
    if value != 0 {
      let age = Swift.max(0, Double(now.milliseconds) - Double(entry.at.milliseconds))
      raw += value
      decayed += value * exp2(-age / (definitions.profile.halfLifeDays * 86_400_000))
      counted = entry.at
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
      isCompleted = true
      isAbandoned = false
      started = nil
    case .abandon:
      isAbandoned = true
      started = nil
    case .like:
      isDisliked = false
      isAbandoned = false
    case .dislike:
      isDisliked = true
      started = nil
    case .addToList: isAbandoned = false
    }
  }

  private mutating func addProgress(
    _ entry: ProfileHistory.Entry, _ limits: FeatureDefinitions.ContinueWatching
  ) {
    let progress = Double(entry.progress)
    if progress > limits.progressMax {
      isCompleted = true
      started = nil
    } else if progress >= limits.progressMin {
      started = ProfileFeatures.StartedTitle(titleID: id, progress: entry.progress, at: entry.at)
    } else {
      started = nil
    }
  }
}
