internal import Base

/// The names of a row's features, as segments keep them: in UTF-8, each followed by a line feed.
package enum FeatureNames {
  static func bytes(_ names: [String]) -> [UInt8] {
    names.flatMap { Array($0.utf8) + [UInt8(ascii: "\n")] }
  }

  static func decode(_ bytes: [UInt8], count: Int, place: String) throws(Refusal) -> [String] {
    // By bytes: a carriage return before the line feed, or an accent after it, would be one character with it.
    let lines = bytes.dropLast().split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
    let names = lines.compactMap { String(validating: $0, as: UTF8.self) }
    guard bytes.last == UInt8(ascii: "\n"), names.count == lines.count else {
      throw Refusal(.unreadable, at: place, "is not a list of names in UTF-8")
    }
    guard names.count == count, !names.contains(""), Set(names).count == count else {
      throw Refusal(.unreadable, at: place, "does not name \(count) different features")
    }
    return names
  }

  /// Names that a segment can keep: different ones, of one line each.
  static func check(_ names: [String], countMax: Int) throws(Fault) {
    guard (1...countMax).contains(names.count) else {
      throw Fault(.invalidArgument, "a ranker has 1 to \(countMax) features, not \(names.count)")
    }
    guard !names.contains(where: { $0.isEmpty || $0.utf8.contains(UInt8(ascii: "\n")) }),
      Set(names).count == names.count
    else { throw Fault(.invalidArgument, "features need different names of one line") }
  }
}
