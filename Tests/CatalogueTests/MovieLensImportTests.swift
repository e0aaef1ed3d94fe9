import Base
import Foundation
import Testing

@testable import Catalogue

@Suite struct MovieLensImportTests {
  private let directory: TemporaryDirectory

  init() throws { directory = try TemporaryDirectory() }

  private let movies = """
    movieId,title,genres
    6,Heat (1995),Action|Crime|Thriller
    7789,"11'09""01 - September 11 (2002)",Drama
    2571,"Matrix, The (1999) ",Children|Horror
    40697,Babylon 5,(no genres listed)

    """

  private func fault(_ body: () throws -> Void) -> CatalogueFault? {
    do {
      try body()
      return nil
    } catch { return error as? CatalogueFault }
  }

  @Test("titles, tags and zipped ratings become a workspace")
  func whole() throws {
    try directory.write(movies, to: "movies.csv")
    try directory.write(
      "userId,movieId,tag,timestamp\n2,6,heist,1\n3,6,heist,1\n3,6,\"a, b\",1\n", to: "tags.csv")
    try directory.write(
      "userId,movieId,rating,timestamp\n1,6,4.0,100\n1,7789,5.0,50\n2,6,0.5,7\n2,2571,3.5,9\n",
      to: "ratings.csv")
    try directory.gzip("ratings.csv")
    let workspace = try MovieLensImport.run(directory: directory.path, to: directory.file("ws"))
    #expect(workspace.manifest.titleCount == 4 && workspace.manifest.profileCount == 2)
    #expect(workspace.manifest.newestMilliseconds == 100_000 && !workspace.manifest.synthetic)
    let file = try workspace.titles()
    let titles = try (0..<4).map { _ in try #require(try file.next()) }
    #expect(titles[0].id == "ml-6" && titles[0].name == "Heat" && titles[0].released == Day("1995-01-01"))
    #expect(titles[0].genres == ["Action", "Crime", "Thriller"] && titles[0].maturity == 12)
    #expect(titles[0].text == ["tags": "heist; a, b"] && titles[0].licences == [.everywhere])
    #expect(titles[1].name == "11'09\"01 - September 11")
    #expect(titles[2].name == "The Matrix" && titles[2].maturity == 0)
    #expect(titles[3].name == "Babylon 5" && titles[3].released == nil && titles[3].genres.isEmpty)
    let interactions = try workspace.interactions()
    #expect(
      try interactions.next()
        == Interaction(
          profileID: "ml-user-1", titleID: "ml-6", kind: .complete, at: Timestamp(seconds: 100), progress: 1))
    #expect(try interactions.next()?.kind == .complete)
    #expect(try interactions.next()?.kind == .dislike)
    #expect(try interactions.next()?.progress == 0.96)
  }

  @Test("tags that were given later can be left out")
  func earlierTags() throws {
    try directory.write(movies, to: "movies.csv")
    try directory.write(
      "userId,movieId,tag,timestamp\n2,6,heist,1\n3,6,slow,60\n3,2571,green,59\n", to: "tags.csv")
    try directory.write("userId,movieId,rating,timestamp\n1,6,4.0,100\n", to: "ratings.csv")
    let workspace = try MovieLensImport.run(
      directory: directory.path, to: directory.file("ws"), tagsBefore: Timestamp(seconds: 60))
    let file = try workspace.titles()
    let titles = try (0..<3).map { _ in try #require(try file.next()) }
    #expect(titles.map { $0.text["tags"] } == ["heist", nil, "green"])
  }

  @Test("a damaged archive is told from a whole one")
  func damaged() throws {
    try directory.write(movies, to: "movies.csv")
    let rows = (0..<5000).map { "\($0),6,4.0,\($0 &* 7919 % 100_003)\n" }.joined()
    try directory.write("userId,movieId,rating,timestamp\n" + rows, to: "ratings.csv")
    try directory.gzip("ratings.csv")
    let bytes = try directory.read("ratings.csv.gz")
    try directory.write(Array(bytes.prefix(bytes.count - 9)), to: "ratings.csv.gz")
    let fault = try #require(
      fault { _ = try MovieLensImport.run(directory: directory.path, to: directory.file("ws")) })
    #expect(fault.code == .unreadableFile && fault.message.contains("damaged"))
  }

  @Test(
    "each wrong has its code and line",
    arguments: [
      ("1,99,4.0,100", CatalogueFault.Code.badID), ("x,6,4.0,100", .badID), ("1,6,4.7,100", .badValue),
      ("1,6,0.0,100", .badValue), ("1,6,5.5,100", .badValue), ("1,6,4.0,", .badDate), ("1,6,4.0", .badCSV),
    ])
  func wrongs(row: String, code: CatalogueFault.Code) throws {
    try directory.write(movies, to: "movies.csv")
    try directory.write("userId,movieId,rating,timestamp\n" + row + "\n", to: "ratings.csv")
    let fault = try #require(
      fault { _ = try MovieLensImport.run(directory: directory.path, to: directory.file("ws")) })
    #expect(fault.code == code && fault.line == 2)
  }

  @Test("missing files and columns say what belongs there")
  func missing() throws {
    func run() -> CatalogueFault? {
      fault { _ = try MovieLensImport.run(directory: directory.path, to: directory.file("ws")) }
    }
    #expect(run()?.code == .unreadableFile)
    try directory.write(movies, to: "movies.csv")
    #expect(run()?.message.contains("ratings.csv") == true)
    try directory.write("userId,movieId,stars,timestamp\n", to: "ratings.csv")
    #expect(run()?.message.contains("no column rating") == true)
    try directory.write("", to: "ratings.csv")
    #expect(run()?.code == .badCSV)
  }

  @Test(
    "the real data set is read whole", .enabled(if: movieLensDirectory() != nil, "no MovieLens data here"))
  func real() throws {
    let data = try #require(movieLensDirectory())
    let manifest = try MovieLensImport.run(directory: data, to: directory.file("ws")).manifest
    #expect(manifest.titleCount > 9000 && manifest.interactionCount > 100_000 && manifest.profileCount > 600)
  }
}
