package import Base

/// `marquee catalog import movielens`: the files of a MovieLens data set (GroupLens) made a workspace.
///
/// Real titles and real ratings; what MovieLens doesn't know is a stand-in. Titles are licensed everywhere. The day of
/// release is 1 January of the year in the name. Maturity comes from genres (`maturity`). A rating is one
/// interaction (`interaction`): MovieLens has no watching times and no rejections but low ratings.
package enum MovieLensImport {
  /// Reads `movies.csv`, `ratings.csv` or `ratings.csv.gz`, and `tags.csv` if it is there. `progress` gets the
  /// interactions taken so far.
  ///
  /// - Parameter tagsBefore: leaves out tags from that moment on: people give them long after a title came, and what is
  ///   measured must not know what they said later. Ratings have times of their own.
  package static func run(
    directory: String, to path: String, tagsBefore: Timestamp? = nil, progress: (Int) -> Void = { _ in }
  ) throws(CatalogueFault) -> Workspace {
    let draft = try WorkspaceDraft(path: path, origin: "movielens", synthetic: false)
    let tags = try tags(directory, before: tagsBefore)
    let movies = try CSVTable(path: directory + "/movies.csv", columns: ["movieId", "title", "genres"])
    var known: Set<[UInt8]> = []
    while try movies.next() {
      let title = try title(movies, tags: tags)
      known.insert(movies.bytes(0))
      try draft.add(title, file: directory + "/movies.csv", line: movies.line)
    }
    let ratings = try CSVTable(
      path: try ratingsPath(directory), columns: ["userId", "movieId", "rating", "timestamp"])
    while try ratings.next() {
      guard known.contains(ratings.bytes(1)) else {
        throw ratings.fault(.badID, "rates movie \(try ratings.text(1)), which movies.csv doesn't have")
      }
      try draft.add(try interaction(ratings))
      if draft.interactionCount % 100_000 == 0 { progress(draft.interactionCount) }
    }
    progress(draft.interactionCount)
    return try draft.finish()
  }

  private static func ratingsPath(_ directory: String) throws(CatalogueFault) -> String {
    for name in ["ratings.csv", "ratings.csv.gz"] {
      do throws(DiskFault) {
        if try SystemDisk().size(directory + "/" + name) != nil { return directory + "/" + name }
      } catch { throw CatalogueFault(.unreadableFile, file: error.path, error.message) }
    }
    throw CatalogueFault(
      .unreadableFile, file: directory,
      "has neither ratings.csv nor ratings.csv.gz; is it the directory of a MovieLens data set?")
  }

  /// Tags by movie, each once, in the file's order.
  private static func tags(
    _ directory: String, before end: Timestamp?
  ) throws(CatalogueFault) -> [[UInt8]: [String]] {
    let path = directory + "/tags.csv"
    do throws(DiskFault) {
      guard try SystemDisk().size(path) != nil else { return [:] }
    } catch { throw CatalogueFault(.unreadableFile, file: path, error.message) }
    let table = try CSVTable(path: path, columns: ["movieId", "tag", "timestamp"])
    var tags: [[UInt8]: [String]] = [:]
    while try table.next() {
      if let end {
        guard let seconds = decimal(table.bytes(2)), seconds <= Int(Int64.max / 1000) else {
          throw table.fault(.badDate, "has no timestamp in seconds since 1970")
        }
        guard Timestamp(seconds: Int64(seconds)) < end else { continue }
      }
      let tag = try table.text(1)
      if !tags[table.bytes(0), default: []].contains(tag) { tags[table.bytes(0), default: []].append(tag) }
    }
    return tags
  }

  private static func title(_ movies: CSVTable, tags: [[UInt8]: [String]]) throws(CatalogueFault) -> Title {
    let movieID = try movies.text(0)
    guard decimal(movies.bytes(0)) != nil else {
      throw movies.fault(.badID, "“\(movieID.prefix(32))” is no movieId")
    }
    let (name, year) = nameAndYear(try movies.text(1))
    guard !name.isEmpty, name.utf8.count <= Title.nameByteCountMax else {
      throw movies.fault(
        .badValue, "has a title that is empty or longer than \(Title.nameByteCountMax) bytes")
    }
    let genres = try movies.text(2).split(separator: "|").map(String.init).filter {
      $0 != "(no genres listed)"
    }
    guard genres.count <= Title.genreCountMax else {
      throw movies.fault(.tooMany, "has more than \(Title.genreCountMax) genres")
    }
    let text = tags[movies.bytes(0)].map { ["tags": $0.joined(separator: "; ")] } ?? [:]
    return Title(
      id: "ml-" + movieID, name: name, genres: genres,
      released: year.flatMap { Day(year: $0, month: 1, day: 1) }, maturity: maturity(genres), text: text)
  }

  /// “Heat (1995)” is Heat of 1995; “Matrix, The (1999)” is The Matrix.
  static func nameAndYear(_ title: String) -> (name: String, year: Int?) {
    var name = Substring(title)
    while name.last == " " { name.removeLast() }
    var year: Int?
    if name.hasSuffix(")"), name.utf8.count > 6 {
      let tail = name.utf8.suffix(6)
      if tail.first == UInt8(ascii: "("), let number = decimal(tail.dropFirst().dropLast()), number >= 1000 {
        year = number
        name = name.dropLast(6)
        while name.last == " " { name.removeLast() }
      }
    }
    for article in ["The", "A", "An"] where name.hasSuffix(", " + article) {
      return (article + " " + name.dropLast(article.count + 2), year)
    }
    return (String(name), year)
  }

  /// A stand-in, since MovieLens has no ratings by age: 16 for horror, 12 for crime, thriller, war and film noir,
  /// else 0; what is for children is 0.
  static func maturity(_ genres: [String]) -> UInt8 {
    if genres.contains("Children") { return 0 }
    if genres.contains("Horror") { return 16 }
    return genres.contains { ["Crime", "Thriller", "War", "Film-Noir"].contains($0) } ? 12 : 0
  }

  private static func interaction(_ ratings: CSVTable) throws(CatalogueFault) -> Interaction {
    guard let seconds = decimal(ratings.bytes(3)), seconds <= Int(Int64.max / 1000) else {
      throw ratings.fault(.badDate, "has no timestamp in seconds since 1970")
    }
    guard let halves = halfStars(ratings.bytes(2)) else {
      throw ratings.fault(.badValue, "has a rating that isn't 0.5 to 5 in halves")
    }
    guard decimal(ratings.bytes(0)) != nil else { throw ratings.fault(.badID, "has no userId") }
    let (kind, progress) = meaning(halfStars: halves)
    return Interaction(
      profileID: "ml-user-" + (try ratings.text(0)), titleID: "ml-" + (try ratings.text(1)), kind: kind,
      at: Timestamp(seconds: Int64(seconds)), progress: progress)
  }

  private static func halfStars(_ text: [UInt8]) -> Int? {
    let parts = text.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
    guard let whole = parts.first.flatMap({ decimal($0) }), whole <= 5, parts.count <= 2 else { return nil }
    var halves = whole * 2
    if parts.count == 2 {
      guard let digit = decimal(parts[1]), digit == 0 || parts[1].elementsEqual([UInt8(ascii: "5")]) else {
        return nil
      }
      halves += digit == 0 ? 0 : 1
    }
    return (1...10).contains(halves) ? halves : nil
  }

  /// What a rating stands for: who rates a film has seen it, so 4 and more is a title seen to the end, 3 and 3.5 one that
  /// was left before the credits (finished too, and said with less weight), 2.5 is seen to 25 %, 1.5 and 2 abandoned after
  /// 10 %, 0.5 and 1 a dislike.
  static func meaning(halfStars: Int) -> (kind: Event.Kind, progress: Float) {
    switch halfStars {
    case 8...: (.complete, 1)
    case 6, 7: (.progress, 0.96)
    case 5: (.progress, 0.25)
    case 3, 4: (.abandon, 0.1)
    default: (.dislike, 0.1)
    }
  }
}
