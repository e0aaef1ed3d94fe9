package import Base
import Foundation

/// The definitions as JSON. Unknown keys are refused (a misspelt key would silently mean its default); a missing key
/// means the default, so that a snapshot from before the key was invented still opens.
extension FeatureDefinitions {
  package static let format = 1
  package static let byteCountMax = 64 << 10

  /// Sorted keys and all of them: the same definitions are the same bytes everywhere.
  package var bytes: [UInt8] {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys]
    guard let data = try? encoder.encode(Coded(self)) else {
      preconditionFailure("numbers that passed validation are JSON")
    }
    return [UInt8](data)
  }

  package var digest: Digest { Digest(of: bytes) }

  /// Reads and validates. A ``Refusal`` with code `unreadable` has the key as its place, as in
  /// `features.profile.halfLifeDays`.
  package init(bytes: [UInt8]) throws(Refusal) {
    guard bytes.count <= Self.byteCountMax else {
      throw Refusal(
        .limitExceeded, at: "features", "has \(bytes.count) bytes, at most \(Self.byteCountMax) are read")
    }
    do {
      self = try JSONDecoder().decode(Coded.self, from: Data(bytes)).definitions
    } catch let refusal as Refusal {
      throw refusal
    } catch DecodingError.typeMismatch(_, let context), DecodingError.valueNotFound(_, let context) {
      throw Refusal(
        .unreadable, at: place(context.codingPath), "is of the wrong type: \(context.debugDescription)")
    } catch DecodingError.keyNotFound(let key, let context) {
      throw Refusal(.unreadable, at: place(context.codingPath + [key]), "is missing")
    } catch DecodingError.dataCorrupted(let context) {
      throw Refusal(.unreadable, at: place(context.codingPath), context.debugDescription)
    } catch {
      throw Refusal(.unreadable, at: "features", "is not JSON: \(error)")
    }
  }

  /// Every number in its range, or a ``Refusal`` with the key as its place.
  package func validate() throws(Refusal) {
    for field in Self.fields {
      let value = field.read(self)
      guard value.isFinite, field.range.contains(value) else {
        throw Refusal(
          .unreadable, at: "features.\(field.group).\(field.key)",
          "is \(value), it must be from \(field.range.lowerBound) to \(field.range.upperBound)")
      }
      guard !field.isWhole || value == value.rounded() else {
        throw Refusal(
          .unreadable, at: "features.\(field.group).\(field.key)", "is \(value), it must be a whole number")
      }
    }
    guard continueWatching.progressMin < continueWatching.progressMax else {
      throw Refusal(
        .unreadable, at: "features.continueWatching.progressMin",
        "is \(continueWatching.progressMin), it must be below progressMax, \(continueWatching.progressMax)")
    }
  }
}

/// The keys, where their values live, and the ranges that are allowed.
extension FeatureDefinitions {
  struct Field: Sendable {
    var group: String
    var key: String
    var range: ClosedRange<Double>
    var isWhole = false
    var read: @Sendable (FeatureDefinitions) -> Double
    var write: @Sendable (inout FeatureDefinitions, Double) -> Void
  }

  private static func number(
    _ group: String, _ key: String, _ range: ClosedRange<Double>,
    _ path: any WritableKeyPath<FeatureDefinitions, Double> & Sendable
  ) -> Field {
    Field(
      group: group, key: key, range: range, read: { $0[keyPath: path] }, write: { $0[keyPath: path] = $1 })
  }

  private static func count(
    _ group: String, _ key: String, _ range: ClosedRange<Double>,
    _ path: any WritableKeyPath<FeatureDefinitions, Int> & Sendable
  ) -> Field {
    Field(
      group: group, key: key, range: range, isWhole: true, read: { Double($0[keyPath: path]) },
      write: { $0[keyPath: path] = Int($1) })
  }

  static let fields: [Field] = [
    number("kindWeights", "click", 0...100, \.kindWeights.click),
    number("kindWeights", "play", 0...100, \.kindWeights.play),
    number("kindWeights", "progress", 0...100, \.kindWeights.progress),
    number("kindWeights", "complete", 0...100, \.kindWeights.complete),
    number("kindWeights", "like", 0...100, \.kindWeights.like),
    number("kindWeights", "addToList", 0...100, \.kindWeights.addToList),
    number("kindWeights", "hoverSkip", -100...0, \.kindWeights.hoverSkip),
    number("kindWeights", "abandon", -100...0, \.kindWeights.abandon),
    number("kindWeights", "dislike", -100...0, \.kindWeights.dislike),
    // From an hour to a year.
    number("profile", "halfLifeDays", (1.0 / 24)...365, \.profile.halfLifeDays),
    count("profile", "titleCountMax", 1...Double(Limits.recentEventCountMax), \.profile.titleCountMax),
    number("profile", "titleWeightMax", 0.001...1000, \.profile.titleWeightMax),
    number("continueWatching", "progressMin", 0...1, \.continueWatching.progressMin),
    number("continueWatching", "progressMax", 0...1, \.continueWatching.progressMax),
    count(
      "continueWatching", "titleCountMax", 0...Double(Limits.titlesPerRowMax),
      \.continueWatching.titleCountMax),
    count("because", "titleCountMax", 0...Double(Limits.rowCountMax), \.becauseTitleCountMax),
    number("trending", "halfLifeMinutes", 1...10_080, \.trending.halfLifeMinutes),
    number("trending", "windowMinutes", 15...1440, \.trending.windowMinutes),
    number("trending", "play", 0...100, \.trending.play),
    number("trending", "complete", 0...100, \.trending.complete),
    number("trending", "like", 0...100, \.trending.like),
    number("trending", "addToList", 0...100, \.trending.addToList),
  ]
}

/// The JSON's shape: a format number, and groups of numbers.
private struct Coded: Codable {
  struct Key: CodingKey {
    var stringValue: String
    var intValue: Int? { nil }
    init(stringValue: String) { self.stringValue = stringValue }
    init?(intValue: Int) { nil }
  }

  var definitions: FeatureDefinitions

  init(_ definitions: FeatureDefinitions) { self.definitions = definitions }

  init(from decoder: any Decoder) throws {
    definitions = FeatureDefinitions()
    let root = try decoder.container(keyedBy: Key.self)
    let groups = Set(FeatureDefinitions.fields.map(\.group))
    for key in root.allKeys where key.stringValue != "format" && !groups.contains(key.stringValue) {
      throw Refusal(.unreadable, at: "features.\(key.stringValue.prefix(64))", "is not a key of definitions")
    }
    let format = try root.decode(Int.self, forKey: Key(stringValue: "format"))
    guard format == FeatureDefinitions.format else {
      throw Refusal(
        .unreadable, at: "features.format", "is \(format), this reader knows \(FeatureDefinitions.format)")
    }
    for group in groups where root.contains(Key(stringValue: group)) {
      try decode(group, from: root.nestedContainer(keyedBy: Key.self, forKey: Key(stringValue: group)))
    }
    try definitions.validate()
  }

  private mutating func decode(_ group: String, from container: KeyedDecodingContainer<Key>) throws {
    for key in container.allKeys {
      let name = key.stringValue
      guard let field = FeatureDefinitions.fields.first(where: { $0.group == group && $0.key == name }) else {
        throw Refusal(.unreadable, at: "features.\(group).\(name.prefix(64))", "is not a key of definitions")
      }
      let value = try container.decode(Double.self, forKey: key)
      // Looked at before writing, as a count that is no integer can't be written.
      guard value.isFinite, field.range.contains(value) else {
        throw Refusal(
          .unreadable, at: "features.\(group).\(name)",
          "is \(value), it must be from \(field.range.lowerBound) to \(field.range.upperBound)")
      }
      guard !field.isWhole || value == value.rounded() else {
        throw Refusal(.unreadable, at: "features.\(group).\(name)", "is \(value), it must be a whole number")
      }
      field.write(&definitions, value)
    }
  }

  func encode(to encoder: any Encoder) throws {
    var root = encoder.container(keyedBy: Key.self)
    try root.encode(FeatureDefinitions.format, forKey: Key(stringValue: "format"))
    for group in Set(FeatureDefinitions.fields.map(\.group)) {
      var container = root.nestedContainer(keyedBy: Key.self, forKey: Key(stringValue: group))
      for field in FeatureDefinitions.fields where field.group == group {
        try container.encode(field.read(definitions), forKey: Key(stringValue: field.key))
      }
    }
  }
}

private func place(_ path: [any CodingKey]) -> String {
  (["features"] + path.map(\.stringValue)).joined(separator: ".")
}
