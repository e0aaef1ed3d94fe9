internal import Base

/// What a catalogue says about one title.
package struct Title: Equatable, Sendable {
  package static let nameByteCountMax = 1024
  package static let genreCountMax = 16
  package static let genreByteCountMax = 64
  /// 250 countries, a few windows each.
  package static let licenceCountMax = 1024
  package static let textFieldCountMax = 16
  package static let maturityMax: UInt8 = 18

  package var id: String
  package var name: String
  package var genres: [String]
  /// `nil` when it isn't known.
  package var released: Day?
  /// The age from which it may be shown, 0 to 18.
  package var maturity: UInt8
  /// Where and when it may be shown. A title without a licence is never shown.
  package var licences: [Licence]
  /// What the embedding reads: synopsis, tags, cast, …
  package var text: [String: String]

  package init(
    id: String, name: String, genres: [String] = [], released: Day? = nil, maturity: UInt8 = 0,
    licences: [Licence] = [.everywhere], text: [String: String] = [:]
  ) {
    self.id = id
    self.name = name
    self.genres = genres
    self.released = released
    self.maturity = maturity
    self.licences = licences
    self.text = text
  }

  /// A stable hash of everything the title says: the same hash is the same title, for finding what changed.
  package var contentHash: UInt64 {
    var line: [UInt8] = []
    TitleLine.append(self, to: &line)
    return stableHash64(line)
  }
}

/// Base's `stableHash` over contiguous bytes, kept here because a call through a generic sequence costs ten times
/// as much for ids and lines. A test holds the two equal.
package func stableHash64(_ bytes: UnsafeRawBufferPointer) -> UInt64 {
  var hash: UInt64 = 0xcbf2_9ce4_8422_2325
  for byte in bytes { hash = (hash ^ UInt64(byte)) &* 0x0000_0100_0000_01b3 }
  var mixer = SplitMix(seed: hash)
  return mixer.next()
}

package func stableHash64(_ bytes: [UInt8]) -> UInt64 {
  bytes.withUnsafeBytes { stableHash64($0) }
}

package func stableHash64(_ text: String) -> UInt64 {
  var text = text
  return text.withUTF8 { stableHash64(UnsafeRawBufferPointer($0)) }
}

/// Whether `id` can name a title or a profile: 1 to 128 bytes, no control characters.
package func isValidID(_ id: String) -> Bool {
  let bytes = id.utf8
  return !bytes.isEmpty && bytes.count <= Limits.idByteCountMax
    && bytes.allSatisfy { $0 >= 0x20 && $0 != 0x7f }
}
