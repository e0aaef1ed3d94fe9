import Base
import Catalogue

@testable import Embedding

/// A small generated catalogue, opened.
struct Fixture {
  let directory: TemporaryDirectory
  let generator: CatalogueGenerator
  let workspace: Workspace
  let table: InteractionTable

  var titleCount: Int { generator.titleCount }

  init(titles: Int, profiles: Int, seed: UInt64 = 21) throws {
    directory = try TemporaryDirectory()
    generator = CatalogueGenerator(titleCount: titles, profileCount: profiles, seed: seed)
    workspace = try generator.write(to: directory.file("ws"))
    table = try Self.table(workspace, directory)
  }

  static func table(_ workspace: Workspace, _ directory: TemporaryDirectory) throws -> InteractionTable {
    let path = directory.file("base")
    _ = try CataloguePart.writeBase(titles: workspace.titlesPath, to: path)
    let base = try CataloguePart(opening: MappedBytes(path: path), name: "base")
    return try InteractionTable(path: workspace.interactionsPath) {
      base.ordinal(ofIDBytes: $0).map { UInt32($0) }
    }
  }

  func fit(
    _ parameters: SpaceParameters = SpaceParameters(dimensions: 32), threads: Int = 1,
    interactions: InteractionTable? = nil
  ) throws -> (space: Space, vectors: VectorTable) {
    try Embedder.fit(
      titles: workspace.titlesPath, titleCount: titleCount, interactions: interactions ?? table,
      parameters: parameters, threadCount: threads)
  }
}

/// Of unit vectors of one length.
func cosine(_ left: UnsafeBufferPointer<Float>, _ right: UnsafeBufferPointer<Float>) -> Float {
  guard let a = left.baseAddress, let b = right.baseAddress else { return 0 }
  return dot(a, b, left.count)
}

extension VectorTable {
  /// Rows by falling cosine to the row `query`, that one left out.
  func nearest(to query: Int) -> [(row: Int, cosine: Float)] {
    (0..<count).filter { $0 != query }.map { ($0, EmbeddingTests.cosine(self[query], self[$0])) }
      .sorted { $0.1 > $1.1 }
  }
}
