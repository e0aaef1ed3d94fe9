import Base
import Testing

@testable import Catalogue

@Suite struct WorkspaceSplitTests {
  private let directory: TemporaryDirectory

  init() throws { directory = try TemporaryDirectory() }

  private func workspace(_ interactions: String) throws -> Workspace {
    let titles = try directory.write(
      """
      {"id":"old","name":"n","licences":[],"released":"1969-12-31"}
      {"id":"undated","name":"n","licences":[]}
      {"id":"later","name":"n","licences":[],"released":"1970-01-02"}

      """, to: "titles.jsonl")
    let csv = try directory.write(InteractionFile.header + "\n" + interactions, to: "interactions.csv")
    return try JSONLImport.run(titles: titles, interactions: csv, to: directory.file("ws"))
  }

  @Test("nothing from the moment on is left, and no title that was not out")
  func before() throws {
    let whole = try workspace("p,old,play,5,0\nq,undated,play,9,0\np,later,play,6,0\np,old,like,10,1\n")
    let before = try WorkspaceSplit.write(
      before: Timestamp(milliseconds: 9), of: whole, to: directory.file("before"))
    #expect(before.manifest.titleCount == 2 && before.manifest.interactionCount == 1)
    #expect(before.manifest.newestMilliseconds == 5 && before.manifest.origin == whole.manifest.origin)
    #expect(try before.interactions().next()?.titleID == "old")
  }

  @Test("the moment leaves the share before it")
  func moment() throws {
    let rows = (0..<100).map { "p,old,play,\($0),0\n" }.joined()
    let whole = try workspace(rows)
    #expect(try WorkspaceSplit.moment(of: whole, share: 0.8).milliseconds == 80)
    #expect(try WorkspaceSplit.moment(of: whole, share: 0.001).milliseconds == 1)
    #expect(throws: Fault.self) { try WorkspaceSplit.moment(of: whole, share: 1) }
  }

  @Test("what has no time to split is refused")
  func still() throws {
    let whole = try workspace("p,old,play,5,0\nq,old,play,5,0\n")
    #expect(throws: Fault.self) { try WorkspaceSplit.moment(of: whole, share: 0.5) }
  }
}
