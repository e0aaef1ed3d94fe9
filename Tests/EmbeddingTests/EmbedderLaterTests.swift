import Base
import Catalogue
import Testing

@testable import Embedding

@Suite struct EmbedderLaterTests {
  /// The cosine of each later vector with the one that the fit gave the same title, sorted.
  private func agreement(
    _ fixture: Fixture, _ fitted: (space: Space, vectors: VectorTable), _ later: [Int]
  ) throws -> [Float] {
    let hidden = Set(later.map { UInt32($0) })
    let dimensions = fitted.vectors.dimensions
    let vectors = Embedder.embed(
      later.map { fixture.generator.title($0) }, ordinals: later.map { UInt32($0) }, in: fitted.space,
      interactions: fixture.table
    ) { ordinal, row in
      #expect(!hidden.contains(ordinal), "a title's own vector is not known yet")
      for index in 0..<dimensions { row[index] = fitted.vectors[Int(ordinal)][index] }
      return true
    }
    return later.indices.map { cosine(vectors[$0], fitted.vectors[later[$0]]) }.sorted()
  }

  @Test("titles that come later land where the fit would have put them")
  func agrees() throws {
    let fixture = try Fixture(titles: 2000, profiles: 300)
    let fitted = try fixture.fit()
    let cosines = try agreement(fixture, fitted, Array(stride(from: 3, to: 2000, by: 20)))
    print("cosine of later and fitted: least \(cosines[0]), median \(cosines[50])")
    #expect(cosines[5] > 0.9 && cosines[50] > 0.95)
  }

  @Test("without known vectors a title lands by its text")
  func textOnly() throws {
    let fixture = try Fixture(titles: 1000, profiles: 50)
    let (space, vectors) = try fixture.fit()
    let later = Embedder.embed(
      (0..<50).map { fixture.generator.title($0) }, ordinals: (0..<50).map { UInt32($0) }, in: space,
      interactions: fixture.table
    ) { _, _ in false }
    let mean = (0..<50).reduce(0) { $0 + cosine(later[$1], vectors[$1]) } / 50
    #expect(mean > 0.7)
  }

  @Test("the space on the disk gives the vectors of the space in memory")
  func stored() throws {
    let fixture = try Fixture(titles: 500, profiles: 40)
    let (space, vectors) = try fixture.fit()
    try space.write(to: fixture.directory.file("space"))
    let opened = try Space(opening: MappedBytes(path: fixture.directory.file("space")), name: "space")
    #expect(opened == space && opened.digest == space.digest && opened.name == space.name)
    func embed(_ space: Space) -> [Float] {
      let table = Embedder.embed(
        [fixture.generator.title(9)], ordinals: [9], in: space, interactions: fixture.table
      ) { ordinal, row in
        for index in 0..<32 { row[index] = vectors[Int(ordinal)][index] }
        return true
      }
      return Array(table[0])
    }
    #expect(embed(space) == embed(opened))
  }

  @Test("no titles are no vectors")
  func none() throws {
    let fixture = try Fixture(titles: 100, profiles: 5)
    let (space, _) = try fixture.fit()
    let vectors = Embedder.embed([], ordinals: [], in: space, interactions: fixture.table) { _, _ in false }
    #expect(vectors.count == 0)
  }
}
