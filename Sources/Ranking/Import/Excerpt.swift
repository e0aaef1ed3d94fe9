extension StringProtocol {
  /// The beginning of what a file says, for a refusal.
  var excerpt: String { excerpt(40) }

  /// At most so many scalars. Characters would bound nothing: one can have accents without end.
  func excerpt(_ count: Int) -> String { String(String.UnicodeScalarView(unicodeScalars.prefix(count))) }
}
