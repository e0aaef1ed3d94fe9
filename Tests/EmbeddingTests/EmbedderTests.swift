import Base
import Catalogue
import Testing

@testable import Embedding

@Suite struct EmbedderTests {
  @Test("every vector is a unit, and the same on any number of threads")
  func units() throws {
    let fixture = try Fixture(titles: 1500, profiles: 80)
    let one = try fixture.fit()
    let two = try fixture.fit(threads: 3)
    #expect(one.space == two.space && one.space.digest == two.space.digest)
    #expect(one.vectors.floats.elementsEqual(two.vectors.floats))
    for index in 0..<1500 { #expect(abs(cosine(one.vectors[index], one.vectors[index]) - 1) < 1e-4) }
    let other = try fixture.fit(SpaceParameters(dimensions: 32, seed: 2))
    #expect(other.space.digest != one.space.digest)
  }

  @Test("titles of one cluster are nearer than others")
  func clusters() throws {
    let fixture = try Fixture(titles: 2000, profiles: 200)
    let (_, vectors) = try fixture.fit()
    var random = SplitMix(seed: 5)
    var own = 0.0
    var all = 0.0
    var hits = 0
    for _ in 0..<50 {
      let query = Int(random.next() % 2000)
      let cluster = fixture.generator.clusterOfTitle(query)
      let near = vectors.nearest(to: query)
      hits += near.prefix(10).count { fixture.generator.clusterOfTitle($0.row) == cluster }
      let same = near.filter { fixture.generator.clusterOfTitle($0.row) == cluster }
      own += same.reduce(0) { $0 + Double($1.cosine) } / Double(max(1, same.count))
      all += near.reduce(0) { $0 + Double($1.cosine) } / Double(near.count)
    }
    print(
      "of the 10 nearest in the same cluster: \(hits) of 500; mean cosine \(own / 50), to all \(all / 50)")
    #expect(hits > 300)
    #expect(own / 50 > all / 50 + 0.15)
  }

  @Test("what is watched together comes nearer, whatever it says")
  func watching() throws {
    let fixture = try Fixture(titles: 400, profiles: 0)
    let cold = try fixture.fit()
    // Clubs of 20 titles that have nothing in common but the ten people who watch most of them.
    var random = SplitMix(seed: 8)
    var rows: [(profile: Int, row: InteractionTable.Row)] = []
    for profile in 0..<200 {
      for step in 0..<15 {
        let ordinal = UInt32(profile / 10 + 20 * Int(random.next() % 20))
        let at = Timestamp(seconds: Int64(step))
        rows.append((profile, InteractionTable.Row(ordinal: ordinal, kind: .complete, at: at, progress: 1)))
      }
    }
    let table = InteractionTable(profileIDs: (0..<200).map { "p\($0)" }, rows: rows)
    let warm = try fixture.fit(interactions: table)
    func meanInClub(_ vectors: VectorTable) -> Float {
      (0..<20).reduce(0) { $0 + cosine(vectors[$1], vectors[$1 + 20 * (1 + $1 % 19)]) } / 20
    }
    #expect(meanInClub(warm.vectors) > meanInClub(cold.vectors) + 0.2)
  }

  @Test(
    "few titles, equal titles and titles without words still get unit vectors of numbers",
    arguments: [1, 2, 5])
  func tiny(count: Int) throws {
    let directory = try TemporaryDirectory()
    for text in ["", "the same words everywhere"] {
      var lines: [UInt8] = []
      for index in 0..<count {
        TitleLine.append(Title(id: "\(index)", name: "x", text: ["synopsis": text]), to: &lines)
      }
      let path = try directory.write(lines, to: "titles.jsonl")
      let table = InteractionTable(profileIDs: [], rows: [])
      let (space, vectors) = try Embedder.fit(titles: path, titleCount: count, interactions: table)
      for index in 0..<count { #expect(abs(cosine(vectors[index], vectors[index]) - 1) < 1e-4) }
      let later = Embedder.embed(
        [Title(id: "new", name: "y")], ordinals: [UInt32(count)], in: space, interactions: table
      ) { _, _ in false }
      #expect(abs(cosine(later[0], later[0]) - 1) < 1e-4)
    }
  }

  @Test("a space fitted to a part of the titles serves all of them")
  func anchors() throws {
    let fixture = try Fixture(titles: 2000, profiles: 200)
    let (_, vectors) = try fixture.fit(SpaceParameters(dimensions: 32, anchorCountMax: 500))
    var hits = 0
    for query in stride(from: 0, to: 2000, by: 40) {
      hits += vectors.nearest(to: query).prefix(10).count {
        fixture.generator.clusterOfTitle($0.row) == fixture.generator.clusterOfTitle(query)
      }
    }
    #expect(hits > 300)
  }

  @Test("a fault of the titles comes through")
  func faults() throws {
    let directory = try TemporaryDirectory()
    let path = try directory.write("{}\n", to: "titles.jsonl")
    #expect(throws: CatalogueFault.self) {
      try Embedder.fit(
        titles: path, titleCount: 1, interactions: InteractionTable(profileIDs: [], rows: []))
    }
  }
}
