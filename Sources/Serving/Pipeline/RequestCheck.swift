package import Base

/// What a request must be before it is ranked. Peers are not believed: everything wrong is `invalidArgument`, and names
/// the field.
package enum RequestCheck {
  package static func check(_ request: RankRequest) throws(Fault) {
    try check(request.profileID, "profile_id", mayBeEmpty: false)
    try check(request.requestID, "request_id", mayBeEmpty: false)
    try check(request.surface, "surface", mayBeEmpty: false)
    try check(request.contextTitleID, "context_title_id", mayBeEmpty: true)
    let letters = request.country.utf8
    guard letters.count == 2, letters.allSatisfy({ (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains($0) })
    else {
      throw Fault(
        .invalidArgument,
        "country must be two upper-case letters of ISO 3166-1, since licences are by country")
    }
    guard request.maturityMax <= 18 else {
      throw Fault(.invalidArgument, "maturity_max is \(request.maturityMax), it must be from 0 to 18")
    }
    guard (0...Limits.titlesPerRowMax).contains(request.titlesPerRow) else {
      throw Fault(
        .invalidArgument,
        "titles_per_row is \(request.titlesPerRow), it must be from 0 to \(Limits.titlesPerRowMax)")
    }
  }

  private static func check(_ text: String, _ field: String, mayBeEmpty: Bool) throws(Fault) {
    guard mayBeEmpty || !text.isEmpty else { throw Fault(.invalidArgument, "\(field) is empty") }
    guard text.utf8.count <= Limits.idByteCountMax else {
      throw Fault(
        .invalidArgument,
        "\(field) has \(text.utf8.count) bytes, at most \(Limits.idByteCountMax) are allowed")
    }
    guard text.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7f }) else {
      throw Fault(.invalidArgument, "\(field) has a control character")
    }
  }
}
