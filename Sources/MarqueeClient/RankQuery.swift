internal import Base

/// Rows that are asked for.
public struct RankQuery: Sendable, Equatable {
  /// Who for: 1 to 128 bytes.
  public var profile: String
  /// `home`, `detail`, …
  public var surface: String
  /// Two letters of ISO 3166-1. Licences are by country.
  public var country: String
  /// The highest maturity that may be shown, 1 to 18.
  public var maturityMax: Int
  /// Titles in a row at most, up to 100; `nil` leaves it to the policy.
  public var titlesPerRow: Int?
  /// On `detail`: the title that is being looked at.
  public var contextTitle: String?
  /// Adds each stage's time to the result.
  public var debug: Bool

  public init(
    profile: String, country: String, surface: String = "home", maturityMax: Int = 18,
    titlesPerRow: Int? = nil, contextTitle: String? = nil, debug: Bool = false
  ) {
    self.profile = profile
    self.country = country
    self.surface = surface
    self.maturityMax = maturityMax
    self.titlesPerRow = titlesPerRow
    self.contextTitle = contextTitle
    self.debug = debug
  }

  func request(id: String) throws(MarqueeError) -> RankRequest {
    guard let maturity = UInt8(exactly: maturityMax), 1...18 ~= maturity else {
      throw MarqueeError(.invalidArgument, "maturityMax \(maturityMax) is not between 1 and 18")
    }
    if let titlesPerRow, !(1...Limits.titlesPerRowMax ~= titlesPerRow) {
      throw MarqueeError(
        .invalidArgument, "titlesPerRow \(titlesPerRow) is not between 1 and \(Limits.titlesPerRowMax)")
    }
    return RankRequest(
      requestID: id, profileID: profile, surface: surface, country: country, maturityMax: maturity,
      titlesPerRow: titlesPerRow ?? 0, contextTitleID: contextTitle ?? "", debug: debug)
  }
}
