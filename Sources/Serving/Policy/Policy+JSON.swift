package import Base

#if canImport(FoundationEssentials)
  internal import FoundationEssentials
#else
  internal import Foundation
#endif

// The JSON form: snake_case keys, every key known, sorted when written. A policy is written by people, so a key that
// is misspelt is refused rather than ignored.

extension Policy {
  package static let byteCountMax = 1 << 20

  /// Deterministic: equal policies are equal bytes.
  package func encode() -> [UInt8] {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .prettyPrinted, .withoutEscapingSlashes]
    guard let data = try? encoder.encode(self) else {
      preconditionFailure("a policy that was checked has finite numbers only")
    }
    return [UInt8](data) + [UInt8(ascii: "\n")]
  }

  /// Reads and checks. Refusals are `malformed` with the path of the key as their place.
  package static func decode(_ bytes: UnsafeRawBufferPointer) throws(Refusal) -> Policy {
    guard bytes.count <= byteCountMax else {
      throw Refusal(.limitExceeded, at: "policy", "has \(bytes.count) bytes, \(byteCountMax) at most")
    }
    let policy: Policy
    do {
      policy = try JSONDecoder().decode(Policy.self, from: Data(bytes))
    } catch let error as DecodingError {
      throw refusal(error)
    } catch {
      throw Refusal(.malformed, at: "policy", "is not JSON")
    }
    try policy.check()
    return policy
  }

  package static func decode(_ bytes: [UInt8]) throws(Refusal) -> Policy {
    let outcome: Result<Policy, Refusal> = bytes.withUnsafeBytes { buffer in
      do throws(Refusal) { return .success(try decode(buffer)) } catch { return .failure(error) }
    }
    return try outcome.get()
  }

  private static func refusal(_ error: DecodingError) -> Refusal {
    let (context, message): (DecodingError.Context, String) =
      switch error {
      case .keyNotFound(let key, let context): (context, "needs the key \(key.stringValue)")
      case .typeMismatch(let type, let context): (context, "is not a \(type)")
      case .valueNotFound(let type, let context): (context, "is null where a \(type) belongs")
      case .dataCorrupted(let context): (context, context.debugDescription)
      @unknown default: (DecodingError.Context(codingPath: [], debugDescription: ""), "can't be read")
      }
    let path = context.codingPath.map { key in key.intValue.map { "[\($0)]" } ?? ".\(key.stringValue)" }
    return Refusal(.malformed, at: "policy\(path.joined())", message)
  }
}

/// Any key at all: to find those that nobody knows.
private struct AnyKey: CodingKey {
  var stringValue: String
  var intValue: Int? { nil }

  init(stringValue: String) { self.stringValue = stringValue }
  init?(intValue: Int) { nil }
}

extension Decoder {
  /// The container, once every key in it is one of `Key`.
  fileprivate func strictContainer<Key: CodingKey & CaseIterable>(
    _ type: Key.Type
  ) throws -> KeyedDecodingContainer<Key> {
    let known = Set(Key.allCases.map(\.stringValue))
    for key in try container(keyedBy: AnyKey.self).allKeys where !known.contains(key.stringValue) {
      throw DecodingError.dataCorrupted(
        DecodingError.Context(
          codingPath: codingPath + [key],
          debugDescription: "is not a key; known are \(known.sorted().joined(separator: ", "))"))
    }
    return try container(keyedBy: type)
  }
}

extension Policy: Codable {
  private enum Key: String, CodingKey, CaseIterable {
    case formatVersion = "format_version"
    case rows, budgets, quotas, diversity, pins, editorial
    case recencyBoost = "recency_boost"
  }

  package init(from decoder: any Decoder) throws {
    let fields = try decoder.strictContainer(Key.self)
    let version = try fields.decode(Int.self, forKey: .formatVersion)
    guard version == Self.formatVersion else {
      throw DecodingError.dataCorruptedError(
        forKey: .formatVersion, in: fields,
        debugDescription: "is \(version), this reader knows \(Self.formatVersion)")
    }
    self.init(
      rows: try fields.decode([Row].self, forKey: .rows),
      budgets: try fields.decodeIfPresent(Budgets.self, forKey: .budgets) ?? .default,
      quotas: try fields.decodeIfPresent(Quotas.self, forKey: .quotas) ?? .default,
      diversity: try fields.decode(Diversity.self, forKey: .diversity),
      recencyBoost: try fields.decode(RecencyBoost.self, forKey: .recencyBoost),
      pins: try fields.decodeIfPresent([Pin].self, forKey: .pins) ?? [],
      editorial: try fields.decodeIfPresent([EditorialList].self, forKey: .editorial) ?? [])
  }

  package func encode(to encoder: any Encoder) throws {
    var fields = encoder.container(keyedBy: Key.self)
    try fields.encode(Self.formatVersion, forKey: .formatVersion)
    try fields.encode(rows, forKey: .rows)
    try fields.encode(budgets, forKey: .budgets)
    try fields.encode(quotas, forKey: .quotas)
    try fields.encode(diversity, forKey: .diversity)
    try fields.encode(recencyBoost, forKey: .recencyBoost)
    try fields.encode(pins, forKey: .pins)
    try fields.encode(editorial, forKey: .editorial)
  }
}

extension Policy.Row {
  package init(from decoder: any Decoder) throws {
    let fields = try decoder.strictContainer(CodingKeys.self)
    self.init(
      id: try fields.decode(String.self, forKey: .id), name: try fields.decode(String.self, forKey: .name),
      kind: try fields.decode(Kind.self, forKey: .kind),
      titleCount: try fields.decode(Int.self, forKey: .titleCount),
      surfaces: try fields.decodeIfPresent([String].self, forKey: .surfaces) ?? [])
  }
}

extension Policy.Budgets {
  package init(from decoder: any Decoder) throws {
    let fields = try decoder.strictContainer(CodingKeys.self)
    self.init(
      featuresMilliseconds: try fields.decode(Int.self, forKey: .featuresMilliseconds),
      retrievalMilliseconds: try fields.decode(Int.self, forKey: .retrievalMilliseconds),
      rankingMilliseconds: try fields.decode(Int.self, forKey: .rankingMilliseconds),
      assemblyMilliseconds: try fields.decode(Int.self, forKey: .assemblyMilliseconds))
  }
}

extension Policy.Quotas {
  package init(from decoder: any Decoder) throws {
    let fields = try decoder.strictContainer(CodingKeys.self)
    self.init(
      similar: try fields.decode(Int.self, forKey: .similar),
      // Policies of before there was this source go on without it.
      coWatched: try fields.decodeIfPresent(Int.self, forKey: .coWatched) ?? 0,
      continueWatching: try fields.decode(Int.self, forKey: .continueWatching),
      becauseYouWatched: try fields.decode(Int.self, forKey: .becauseYouWatched),
      trending: try fields.decode(Int.self, forKey: .trending),
      new: try fields.decode(Int.self, forKey: .new),
      popular: try fields.decode(Int.self, forKey: .popular),
      editorial: try fields.decodeIfPresent(Int.self, forKey: .editorial) ?? 0)
  }
}

extension Policy.EditorialList {
  package init(from decoder: any Decoder) throws {
    let fields = try decoder.strictContainer(CodingKeys.self)
    self.init(
      id: try fields.decode(String.self, forKey: .id),
      titleIDs: try fields.decode([String].self, forKey: .titleIDs),
      surfaces: try fields.decodeIfPresent([String].self, forKey: .surfaces) ?? [])
  }
}

extension Policy.Diversity {
  package init(from decoder: any Decoder) throws {
    let fields = try decoder.strictContainer(CodingKeys.self)
    self.init(genreShareMax: try fields.decode(Double.self, forKey: .genreShareMax))
  }
}

extension Policy.RecencyBoost {
  package init(from decoder: any Decoder) throws {
    let fields = try decoder.strictContainer(CodingKeys.self)
    self.init(
      weight: try fields.decode(Double.self, forKey: .weight),
      halfLifeDays: try fields.decode(Double.self, forKey: .halfLifeDays))
  }
}

extension Policy.Pin {
  package init(from decoder: any Decoder) throws {
    let fields = try decoder.strictContainer(CodingKeys.self)
    self.init(
      titleID: try fields.decode(String.self, forKey: .titleID),
      rowID: try fields.decode(String.self, forKey: .rowID),
      surface: try fields.decodeIfPresent(String.self, forKey: .surface) ?? "",
      position: try fields.decode(Int.self, forKey: .position))
  }
}
