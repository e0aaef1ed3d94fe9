import Base
import Testing

@testable import Catalogue

@Suite struct InteractionTableTests {
  private let directory: TemporaryDirectory

  init() throws { directory = try TemporaryDirectory() }

  private func table(_ lines: [String]) throws -> InteractionTable {
    let path = try directory.write(([InteractionFile.header] + lines).joined(separator: "\n"), to: "i")
    return try InteractionTable(path: path) { UInt32(String(decoding: $0, as: UTF8.self)) }
  }

  @Test("unsorted lines come out by profile and in time, ties as they stood")
  func sorting() throws {
    let table = try table([
      "p,1,play,30,0", "q,2,play,5,0", "p,3,click,10,0", "gone,x,play,1,0", "q,4,like,5,1", "p,5,play,20,0.5",
    ])
    #expect(table.profileIDs == ["p", "q"] && table.unknownTitleCount == 1)
    #expect(table.rows(of: 0).map(\.ordinal) == [3, 5, 1])
    #expect(table.rows(of: 1).map(\.ordinal) == [2, 4])
    #expect(table.newest == Timestamp(milliseconds: 30))
    let before = table.before(Timestamp(milliseconds: 20))
    #expect(before.profileIDs == ["p", "q"] && before.rows(of: 0).map(\.ordinal) == [3])
    #expect(before.rows(of: 1).count == 2)
  }

  @Test("a table of nothing is empty")
  func empty() throws {
    let table = try table([])
    #expect(table.profileCount == 0 && table.rows.isEmpty && table.newest == nil)
    #expect(TitleScores(table, count: 2, now: Timestamp(milliseconds: 0)) == TitleScores(count: 2))
  }

  @Test("popularity counts interest that fades, knows no future and no rejections")
  func scores() throws {
    let day: Int64 = 86_400_000
    let table = try table([
      "p,0,complete,\(100 * day),1", "q,0,complete,\(100 * day),1", "p,1,complete,\(10 * day),1",
      "p,2,abandon,\(100 * day),0", "p,3,complete,\(101 * day),1", "p,9,complete,\(100 * day),1",
    ])
    let scores = TitleScores(table, count: 4, now: Timestamp(milliseconds: 100 * day))
    #expect(scores.popularity[0] == 1 && scores.trending[0] == 1)
    #expect(scores.popularity[1] > 0.3 && scores.popularity[1] < 0.4)
    #expect(scores.trending[1] > 0 && scores.trending[1] < 0.001)
    #expect(scores.popularity[2] == 0 && scores.popularity[3] == 0)
  }
}
