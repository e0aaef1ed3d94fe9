import Base
import Catalogue
import Testing

@testable import Embedding

@Suite struct MovieLensTests {
  @Test(
    "on MovieLens the mean of a history finds the next liked title better than popularity",
    .enabled(if: movieLensDirectory() != nil, "no MovieLens data here"))
  func recall() throws {
    let directory = try TemporaryDirectory()
    let data = try #require(movieLensDirectory())
    let workspace = try MovieLensImport.run(directory: data, to: directory.file("ws"))
    let table = try Fixture.table(workspace, directory)
    let titleCount = workspace.manifest.titleCount
    var rows: [(profile: Int, row: InteractionTable.Row)] = []
    var held: [(profile: Int, ordinal: Int)] = []
    for profile in stride(from: 0, to: table.profileCount, by: 3) {
      let last = table.rows(of: profile).last { $0.interest > 0.5 }
      for row in table.rows(of: profile) where row.ordinal != last?.ordinal { rows.append((profile, row)) }
      if let last { held.append((profile, Int(last.ordinal))) }
    }
    let known = InteractionTable(profileIDs: table.profileIDs, rows: rows)
    let parameters = SpaceParameters(dimensions: 32, iterationCount: 3, anchorCountMax: 3000)
    let (_, vectors) = try Embedder.fit(
      titles: workspace.titlesPath, titleCount: titleCount, interactions: known, parameters: parameters,
      threadCount: 2)
    var popularity = [Float](repeating: 0, count: titleCount)
    for row in known.rows { popularity[Int(row.ordinal)] += row.interest }
    var found = (mean: 0, popular: 0)
    let profile = VectorTable(count: 1, dimensions: 32)
    for (index, ordinal) in held {
      let seen = Set(known.rows(of: index).map { Int($0.ordinal) })
      profile.row(0).update(repeating: 0, count: 32)
      for row in known.rows(of: index) where row.interest > 0 {
        add(vectors.row(Int(row.ordinal)), times: row.interest, to: profile.row(0), 32)
      }
      func isInFirst100(_ score: (Int) -> Float) -> Bool {
        let own = score(ordinal)
        return (0..<titleCount).count { !seen.contains($0) && score($0) > own } < 100
      }
      if isInFirst100({ dot(profile.row(0), vectors.row($0), 32) }) { found.mean += 1 }
      if isInFirst100({ popularity[$0] }) { found.popular += 1 }
    }
    print("recall@100 on \(held.count) profiles: history \(found.mean), popularity \(found.popular)")
    #expect(Double(found.mean) > 1.2 * Double(found.popular))
  }
}
