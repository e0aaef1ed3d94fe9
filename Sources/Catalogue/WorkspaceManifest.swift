import Foundation

/// `catalogue.json`: what a workspace holds and where it comes from.
package struct WorkspaceManifest: Codable, Equatable, Sendable {
  package static let formatVersion = 1

  package var formatVersion: Int
  /// For people: `jsonl titles.jsonl`, `movielens`, `generated`.
  package var origin: String
  /// No title here exists, and nobody watched any of them.
  package var synthetic: Bool
  package var titleCount: Int
  package var profileCount: Int
  package var interactionCount: Int
  /// Interactions end here, in milliseconds since 1970; `nil` without interactions.
  package var newestMilliseconds: Int64?
  /// Of generated catalogues.
  package var seed: UInt64?

  private enum CodingKeys: String, CodingKey {
    case formatVersion = "format_version"
    case origin
    case synthetic
    case titleCount = "titles"
    case profileCount = "profiles"
    case interactionCount = "interactions"
    case newestMilliseconds = "newest_ms"
    case seed
  }

  init(origin: String, synthetic: Bool, seed: UInt64?) {
    formatVersion = Self.formatVersion
    self.origin = origin
    self.synthetic = synthetic
    titleCount = 0
    profileCount = 0
    interactionCount = 0
    self.seed = seed
  }

  func encoded() throws -> [UInt8] {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    return [UInt8](try encoder.encode(self)) + [UInt8(ascii: "\n")]
  }

  init(decoding bytes: [UInt8], file: String) throws(CatalogueFault) {
    struct Version: Decodable {
      var version: Int
      enum CodingKeys: String, CodingKey { case version = "format_version" }
    }
    let data = Data(bytes)
    let decoder = JSONDecoder()
    guard let version = try? decoder.decode(Version.self, from: data).version else {
      throw CatalogueFault(.notAWorkspace, file: file, "has no format_version; import the catalogue again")
    }
    guard version == Self.formatVersion else {
      throw CatalogueFault(
        .newerFormat, file: file, "has format \(version), this program knows \(Self.formatVersion)")
    }
    do { self = try decoder.decode(Self.self, from: data) } catch {
      throw CatalogueFault(.notAWorkspace, file: file, "can't be read: \(error)")
    }
  }
}
