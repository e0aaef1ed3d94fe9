/// What a client asks: rows for a profile on a surface.
package struct RankRequest: Sendable, Equatable {
  /// Names this request in impressions; the same id asked again (a retry, a hedge) is the same request.
  package var requestID: String
  package var profileID: String
  /// `home`, `detail`, …
  package var surface: String
  /// ISO 3166-1 alpha-2, upper case. Licences are by country.
  package var country: String
  /// The highest maturity that may be shown, 0 to 18.
  package var maturityMax: UInt8
  /// Titles in a row at most; 0 is the policy's own number.
  package var titlesPerRow: Int
  /// On `detail`: the title that is being looked at.
  package var contextTitleID: String
  /// Adds each stage's time to the reply.
  package var debug: Bool

  package init(
    requestID: String, profileID: String, surface: String = "home", country: String, maturityMax: UInt8 = 18,
    titlesPerRow: Int = 0, contextTitleID: String = "", debug: Bool = false
  ) {
    self.requestID = requestID
    self.profileID = profileID
    self.surface = surface
    self.country = country
    self.maturityMax = maturityMax
    self.titlesPerRow = titlesPerRow
    self.contextTitleID = contextTitleID
    self.debug = debug
  }
}
