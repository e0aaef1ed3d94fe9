internal import Base

/// Reads one JSON line as a title. The schema is in `docs/catalogue.md`; whatever it doesn't name is an error,
/// because a misspelt key would otherwise lose a licence or a limit in silence.
enum TitleParser {
  static func parse(_ line: UnsafeRawBufferPointer) throws(LineFault) -> Title {
    var draft = Draft()
    var cursor = JSONCursor(line)
    try cursor.object { (key, cursor) throws(LineFault) in try draft.take(key, from: &cursor) }
    try cursor.end()
    return try draft.finish()
  }

  private struct Draft {
    var id: String?
    var name: String?
    var genres: [String]?
    var released: Day?
    var hasReleased = false
    var maturity: UInt8?
    var licences: [Licence]?
    var text: [String: String]?

    mutating func take(_ key: String, from cursor: inout JSONCursor) throws(LineFault) {
      switch key {
      case "id":
        try once(id == nil, key)
        id = try TitleParser.id(from: &cursor)
      case "name":
        try once(name == nil, key)
        name = try TitleParser.name(from: &cursor)
      case "genres":
        try once(genres == nil, key)
        genres = try TitleParser.genres(from: &cursor)
      case "released":
        try once(!hasReleased, key)
        hasReleased = true
        released = try TitleParser.released(from: &cursor)
      case "maturity":
        try once(maturity == nil, key)
        maturity = try TitleParser.maturity(from: &cursor)
      case "licences":
        try once(licences == nil, key)
        licences = try TitleParser.licences(from: &cursor)
      case "text":
        try once(text == nil, key)
        text = try TitleParser.text(from: &cursor)
      default:
        throw LineFault(
          .unknownKey,
          "has the key “\(key.prefix(64))”; known are id, name, genres, released, maturity, licences and text"
        )
      }
    }

    private func once(_ isFirst: Bool, _ key: String) throws(LineFault) {
      guard isFirst else { throw LineFault(.duplicateKey, "has “\(key)” twice; keep one") }
    }

    func finish() throws(LineFault) -> Title {
      guard let id else { throw LineFault(.missingKey, "has no id; give each title its own") }
      guard let name else { throw LineFault(.missingKey, "title \(id) has no name") }
      guard let licences else {
        throw LineFault(
          .missingKey,
          "title \(id) has no licences; say [{\"country\":\"*\"}] for everywhere, or [] for nowhere")
      }
      return Title(
        id: id, name: name, genres: genres ?? [], released: released, maturity: maturity ?? 0,
        licences: licences, text: text ?? [:])
    }
  }

  private static func id(from cursor: inout JSONCursor) throws(LineFault) -> String {
    let id = try cursor.string()
    guard isValidID(id) else {
      throw LineFault(
        .badID,
        "has an id that is empty, longer than \(Limits.idByteCountMax) bytes or has control characters")
    }
    return id
  }

  private static func name(from cursor: inout JSONCursor) throws(LineFault) -> String {
    let name = try cursor.string()
    guard !name.isEmpty, name.utf8.count <= Title.nameByteCountMax else {
      throw LineFault(.badValue, "has a name that is empty or longer than \(Title.nameByteCountMax) bytes")
    }
    return name
  }

  private static func genres(from cursor: inout JSONCursor) throws(LineFault) -> [String] {
    var genres: [String] = []
    try cursor.array { (cursor) throws(LineFault) in
      let genre = try cursor.string()
      guard !genre.isEmpty, genre.utf8.count <= Title.genreByteCountMax else {
        throw LineFault(
          .badValue, "has a genre that is empty or longer than \(Title.genreByteCountMax) bytes")
      }
      guard !genres.contains(genre) else { return }
      guard genres.count < Title.genreCountMax else {
        throw LineFault(.tooMany, "has more than \(Title.genreCountMax) genres")
      }
      genres.append(genre)
    }
    return genres
  }

  private static func released(from cursor: inout JSONCursor) throws(LineFault) -> Day? {
    if cursor.takeNull() { return nil }
    let text = try cursor.string()
    guard let day = Day(text) else {
      throw LineFault(
        .badDate, "“\(text.prefix(40))” is no date of the calendar; write released as YYYY-MM-DD")
    }
    return day
  }

  private static func maturity(from cursor: inout JSONCursor) throws(LineFault) -> UInt8 {
    let value = try cursor.wholeNumber()
    guard let maturity = UInt8(exactly: value), maturity <= Title.maturityMax else {
      throw LineFault(.badMaturity, "has maturity \(value); it is an age from 0 to \(Title.maturityMax)")
    }
    return maturity
  }

  private static func licences(from cursor: inout JSONCursor) throws(LineFault) -> [Licence] {
    var licences: [Licence] = []
    try cursor.array { (cursor) throws(LineFault) in
      guard licences.count < Title.licenceCountMax else {
        throw LineFault(.tooMany, "has more than \(Title.licenceCountMax) licences")
      }
      licences.append(try licence(from: &cursor))
    }
    return licences
  }

  private static func licence(from cursor: inout JSONCursor) throws(LineFault) -> Licence {
    var country: CountryCode?
    var from: Int64?
    var to: Int64?
    try cursor.object { (key, cursor) throws(LineFault) in
      switch key {
      case "country" where country == nil:
        let text = try cursor.string()
        guard let code = CountryCode(text) else {
          throw LineFault(
            .badCountry,
            "“\(text.prefix(16))” is no country; write two capitals as in ISO 3166-1 (GB), or * for everywhere"
          )
        }
        country = code
      case "from" where from == nil: from = try date(from: &cursor)
      case "to" where to == nil: to = try date(from: &cursor)
      case "country", "from", "to":
        throw LineFault(.duplicateKey, "has “\(key)” twice in a licence; keep one")
      default:
        throw LineFault(
          .unknownKey, "has the key “\(key.prefix(64))” in a licence; known are country, from and to")
      }
    }
    guard let country else {
      throw LineFault(.missingKey, "has a licence without a country; * is everywhere")
    }
    let licence = Licence(
      country: country, fromSeconds: from ?? Licence.openStart, toSeconds: to ?? Licence.openEnd)
    guard licence.fromSeconds < licence.toSeconds else {
      throw LineFault(.badLicence, "has a licence that ends before it begins (to is not included)")
    }
    return licence
  }

  private static func date(from cursor: inout JSONCursor) throws(LineFault) -> Int64 {
    let text = try cursor.string()
    guard let date = seconds(text) else {
      throw LineFault(
        .badDate,
        "“\(text.prefix(40))” is no date; write YYYY-MM-DD or YYYY-MM-DDTHH:MM:SSZ, or leave the key out")
    }
    return date
  }

  /// Values are text, or arrays of text, whose elements are kept apart by “; ”.
  private static func text(from cursor: inout JSONCursor) throws(LineFault) -> [String: String] {
    var fields: [String: String] = [:]
    try cursor.object { (key, cursor) throws(LineFault) in
      guard !key.isEmpty, key.utf8.count <= 64 else {
        throw LineFault(.badValue, "has a text field whose name is empty or longer than 64 bytes")
      }
      guard fields[key] == nil else {
        throw LineFault(.duplicateKey, "has the text field “\(key)” twice; keep one")
      }
      guard fields.count < Title.textFieldCountMax else {
        throw LineFault(.tooMany, "has more than \(Title.textFieldCountMax) text fields")
      }
      guard cursor.peek() == UInt8(ascii: "[") else {
        fields[key] = try cursor.string()
        return
      }
      var parts: [String] = []
      try cursor.array { (cursor) throws(LineFault) in parts.append(try cursor.string()) }
      fields[key] = parts.joined(separator: "; ")
    }
    return fields
  }
}
