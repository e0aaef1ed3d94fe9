import Base
import Foundation
import Testing

@testable import Catalogue

@Suite struct KuaiRandImportTests {
  private let directory: TemporaryDirectory

  init() throws {
    directory = try TemporaryDirectory()
    try directory.write(
      """
      video_id,author_id,video_type,upload_dt,upload_type,music_id,tag
      0,77,NORMAL,2022-04-10,LongImport,91,39
      1,78,AD,2022-04-09,Kmovie,,"2,5"

      """, to: "videos.csv")
  }

  private let header =
    "user_id,video_id,time_ms,is_click,is_like,is_hate,long_view,play_time_ms,duration_ms,tab\n"

  private func interactions(_ workspace: Workspace) throws -> [Interaction] {
    let file = try workspace.interactions()
    var all: [Interaction] = []
    while let interaction = try file.next() { all.append(interaction) }
    return all
  }

  private func fault(_ body: () throws -> Void) -> CatalogueFault? {
    do {
      try body()
      return nil
    } catch { return error as? CatalogueFault }
  }

  @Test("videos, impressions and what was watched before become a workspace")
  func whole() throws {
    try directory.write(
      header + """
        5,0,900000,1,0,0,1,60000,50000,1
        5,1,900001,0,1,0,1,60000,50000,1
        5,1,900002,0,0,1,0,100,50000,1
        6,0,900003,0,0,0,0,2999,50000,1
        6,0,900004,0,0,0,0,0,50000,1
        6,1,900005,1,0,0,0,25000,50000,1
        6,1,900005,1,0,0,0,25000,50000,1

        """, to: "impressions.csv")
    try directory.gzip("impressions.csv")
    try directory.write(
      #"{"user_id": 6, "last_time_ms": 600000, "watched": [0, 1, 0, 99], "liked": [1], "long_watched": [0, 1]}"#
        + "\n", to: "history.jsonl")
    let workspace = try KuaiRandImport.run(directory: directory.path, to: directory.file("ws"))
    let titles = try workspace.titles()
    let first = try #require(try titles.next())
    #expect(first.id == "kr-0" && first.name == "Video 0" && first.genres == ["tag 39"])
    #expect(first.released == Day("2022-04-10") && first.text["author"] == "author77")
    #expect(try titles.next()?.genres == ["tag 2", "tag 5"])
    let all = try interactions(workspace)
    // Video 99 isn't known, and the last row is there twice.
    #expect(all.count == 9 && workspace.manifest.profileCount == 2)
    #expect(all.prefix(3).map(\.kind) == [.complete, .like, .complete])
    #expect(all.prefix(3).map(\.at.milliseconds) == [420_000, 480_000, 540_000])
    #expect(all[3...].map(\.kind) == [.complete, .like, .dislike, .abandon, .hoverSkip, .progress])
    #expect(all[3].profileID == "kr-user-5" && all[3].titleID == "kr-0" && all[8].progress == 0.5)
  }

  @Test("what can't be is refused with its line")
  func refused() throws {
    let cases: [(String, CatalogueFault.Code)] = [
      ("5,7,900000,1,0,0,1,60000,50000,1", .badID), ("5,0,soon,1,0,0,1,60000,50000,1", .badValue),
      ("5,0,900000,1,0,0,1,60000", .badCSV), ("x,0,900000,1,0,0,1,60000,50000,1", .badID),
    ]
    for (number, (line, code)) in cases.enumerated() {
      try directory.write(header + line + "\n", to: "impressions.csv")
      let found = fault {
        _ = try KuaiRandImport.run(directory: directory.path, to: directory.file("ws\(number)"))
      }
      #expect(found?.code == code && found?.line == 2, "\(line): \(String(describing: found))")
    }
    try directory.write(header, to: "impressions.csv")
    try directory.write("{\"user_id\": 5}\n", to: "history.jsonl")
    #expect(
      fault { _ = try KuaiRandImport.run(directory: directory.path, to: directory.file("other")) }?.code
        == .badJSON
    )
    #expect(
      fault {
        _ = try KuaiRandImport.run(directory: directory.path + "/nothing", to: directory.file("none"))
      }?.code == .unreadableFile)
  }

  @Test(
    "the real data set is read whole",
    .enabled(if: kuaiRandDirectory() != nil, "it is not there: name its folder's parent in MARQUEE_DATA"))
  func real() throws {
    let source = try #require(kuaiRandDirectory())
    let workspace = try KuaiRandImport.run(directory: source, to: directory.file("ws"))
    #expect(workspace.manifest.titleCount == 7583)
    #expect(workspace.manifest.interactionCount > 900_000)
  }
}
