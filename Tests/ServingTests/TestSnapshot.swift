import Base
import Catalogue
import Features
import Foundation
import Ranking
import Retrieval
import Snapshots

@testable import Serving

/// A directory that is there as long as the test holds it.
final class TestDirectory: Sendable {
  let path: String

  init() {
    path = NSTemporaryDirectory() + "serving-" + UUID().uuidString
    do { try SystemDisk().createDirectory(path) } catch { preconditionFailure("\(error)") }
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }
}

/// A small snapshot of real parts, written by the rooms' own writers: six genres, a cluster of vectors each.
struct TestSnapshot {
  static let dimensions = 16
  static let genreCount = 6
  static let key: PrivateKey = {
    guard let key = PrivateKey(seed: [UInt8](repeating: 7, count: 32)) else { preconditionFailure() }
    return key
  }()
  static let now = Timestamp(seconds: 1_800_000_000)

  var sequence: UInt64 = 1
  var prefix = "a"
  var count = 120
  /// Titles of the tail, after `count` of the base.
  var tailCount = 0
  var policy = Policy.default
  var definitions = FeatureDefinitions()
  var maturity: @Sendable (Int) -> UInt8 = { _ in 0 }
  var licences: @Sendable (Int) -> [Licence] = { _ in [.everywhere] }
  var genre: @Sendable (Int) -> Int = { $0 % TestSnapshot.genreCount }
  var dead: Set<Int> = []
  /// Titles that profiles wanted; without any the snapshot says nothing of who watched what.
  var wanted: [[UInt32]] = []

  // What tests get wrong.
  var golden: [GoldenQueries.Query]?
  /// Where the neighbours' base ends; with the catalogue's unless a test says otherwise.
  var neighbourBaseCount: Int?
  var rankerFeatures = CandidateFeatures.names
  var vectorCountOff = 0
  var titleCountOff = 0
  var leavesOut: Set<String> = []
  var replaced: [String: [UInt8]] = [:]

  func id(_ index: Int) -> String { "\(prefix)\(index)" }

  func title(_ index: Int) -> Title {
    Title(
      id: id(index), name: "Title \(id(index))", genres: ["genre \(genre(index))"],
      released: Day(number: Day(of: Self.now).number - Int32(index)), maturity: maturity(index),
      licences: licences(index))
  }

  /// Titles of a genre lie around one axis; the seed is the title's number.
  func vector(_ index: Int) -> [Float] {
    var random = SplitMix(seed: UInt64(index) &+ 1)
    var vector = (0..<Self.dimensions).map { _ in Float.random(in: -0.15...0.15, using: &random) }
    vector[genre(index)] += 1
    let length = vector.reduce(0) { $0 + $1 * $1 }.squareRoot()
    return vector.map { $0 / length }
  }

  /// Builds into the library and returns the verified manifest.
  @discardableResult
  func build(in library: SnapshotLibrary) throws -> VerifiedManifest {
    let work = TestDirectory()
    let base = try writePart("base", 0..<count, genreNames: [], parent: nil, in: work)
    var tail: Part?
    if tailCount > 0 {
      tail = try writePart(
        "tail", count..<(count + tailCount), genreNames: base.catalogue.genreNames, parent: base.index,
        in: work)
    }
    let total = count + tailCount
    var live = Bitmap(count: total, filled: true)
    for index in dead { live[index] = false }
    let scores = TitleScores(
      popularity: (0..<total).map { 1 - Float($0) / Float(total + 1) },
      trending: (0..<total).map { $0 % 3 == 0 ? Float($0 + 1) / Float(total + 1) : 0 })
    try CatalogueStat.write(
      to: "\(work.path)/stat", base: base.catalogue, tail: tail?.catalogue, live: live, scores: scores)
    var weights = [Float](repeating: 0, count: rankerFeatures.count)
    let learnt: [(String, Float)] = [
      ("similarity", 4), ("popularity", 1), ("trending", 0.5), ("co_watched_share", 9),
    ]
    for (name, weight) in learnt {
      if let index = rankerFeatures.firstIndex(of: name) { weights[index] = weight }
    }
    try RankerParameters(
      features: rankerFeatures, shape: RankerShape(featureCount: rankerFeatures.count, widths: [1]),
      means: weights.map { _ in 0 }, scales: weights.map { _ in 1 }, weights: [weights], biases: [[0]]
    ).write(to: "\(work.path)/ranker")
    try write(definitions.bytes, "features", work)
    try write(policy.encode(), "policy", work)
    try write(Array("space".utf8), "space", work)
    let queries = try golden ?? goldenQueries(base, tail, live: live)
    try write(GoldenQueries.encode(queries), "golden", work)
    let liveCount = live.setCount
    return try SnapshotBuilder(library: library, key: Self.key).build(
      Manifest(
        sequence: sequence, created: Self.now, expires: Self.now.advanced(bySeconds: 86_400 * 365),
        space: "space-\(prefix)", model: "model-\(prefix)", features: "features-\(prefix)",
        policy: "policy-\(prefix)", titleCount: UInt64(liveCount + titleCountOff)),
      from: try sources(work))
  }

  private func sources(_ work: TestDirectory) throws -> [SnapshotBuilder.Source] {
    var sources: [SnapshotBuilder.Source] = []
    for part in tailCount > 0 ? ["base", "tail"] : ["base"] {
      for kind in ["catalogue", "vectors", "index"] {
        sources.append(.init(kind: kind, name: part, path: "\(work.path)/\(kind)-\(part)"))
      }
    }
    sources.append(.init(kind: "statistics", name: "all", path: "\(work.path)/stat"))
    for kind in ["space", "ranker", "features", "policy", "golden"] {
      sources.append(.init(kind: kind, name: "all", path: "\(work.path)/\(kind)"))
    }
    if !wanted.isEmpty {
      sources += try neighbours(work)
    }
    for (key, bytes) in replaced {
      guard let source = sources.first(where: { "\($0.kind)/\($0.name)" == key }) else {
        preconditionFailure("no segment \(key)")
      }
      try SystemDisk().truncate(source.path, to: 0)
      try bytes.withUnsafeBytes { try SystemDisk().write($0, to: source.path, at: 0) }
    }
    return sources.filter { !leavesOut.contains("\($0.kind)/\($0.name)") }
  }

  /// All of the base's titles, and in a tail what is new.
  private func neighbours(_ work: TestDirectory) throws -> [SnapshotBuilder.Source] {
    let (fresh, base, tail) = (
      "\(work.path)/fresh", "\(work.path)/neighbours", "\(work.path)/neighbours-tail"
    )
    try NeighbourWriter.write(titleCount: count + tailCount, wanted: wanted, to: fresh)
    let lists = try NeighbourBase.open(MappedBytes(path: fresh), name: "fresh")
    try NeighbourChange.writeBase(lists, count: neighbourBaseCount ?? count, to: base)
    var sources = [SnapshotBuilder.Source(kind: "neighbours", name: "base", path: base)]
    guard tailCount > 0 else { return sources }
    let titles = NeighbourChange.Titles(
      baseCount: neighbourBaseCount ?? count,
      origins: [UInt32](
        repeating: NeighbourTail.none, count: count + tailCount - (neighbourBaseCount ?? count)), gone: [])
    try NeighbourChange(
      from: NeighbourBase.open(MappedBytes(path: base), name: "base"), to: lists, titles: titles,
      audiences: [UInt32](repeating: 1, count: count + tailCount)
    ).write(to: tail)
    sources.append(.init(kind: "neighbours", name: "tail", path: tail))
    return sources
  }

  private struct Part {
    var catalogue: CataloguePart
    var vectors: Vectors
    var index: VectorIndex
  }

  private func writePart(
    _ name: String, _ range: Range<Int>, genreNames: [String], parent: VectorIndex?, in work: TestDirectory
  ) throws -> Part {
    var catalogue = CataloguePartWriter(genreNames: genreNames)
    for index in range { try catalogue.add(title(index)) }
    try catalogue.write(to: "\(work.path)/catalogue-\(name)")
    let vectors = try VectorsWriter(path: "\(work.path)/vectors-\(name)", dimensions: Self.dimensions)
    let offset = name == "base" ? vectorCountOff : 0
    let rows = range.lowerBound..<(range.upperBound + offset)
    for index in rows { try vectors.append(vector(index)) }
    try vectors.finish()
    try IndexBuilder.build(
      VectorRows(rows.flatMap(vector), dimensions: Self.dimensions), to: "\(work.path)/index-\(name)",
      options: IndexOptions(listCount: parent == nil ? 4 : nil), parent: parent)
    return Part(
      catalogue: try CataloguePart(
        opening: try MappedBytes(path: "\(work.path)/catalogue-\(name)"), name: "catalogue/\(name)"),
      vectors: try Vectors(
        opening: try MappedBytes(path: "\(work.path)/vectors-\(name)"), name: "vectors/\(name)"),
      index: try VectorIndex(
        opening: try MappedBytes(path: "\(work.path)/index-\(name)"), name: "index/\(name)"))
  }

  private func goldenQueries(_ base: Part, _ tail: Part?, live: Bitmap) throws -> [GoldenQueries.Query] {
    let parts = [base] + (tail.map { [$0] } ?? [])
    let index = try PartitionedIndex(parts.map { ($0.index, $0.vectors) })
    let scratch = SearchScratch()
    guard let first = (0..<count).first(where: { live[$0] }) else { return [] }
    if vectorCountOff != 0 { return [.init(watched: [id(first)], expected: [id(first)])] }
    let outcome = live.words.withUnsafeBufferPointer { words in
      guard let start = words.baseAddress else { return SearchOutcome() }
      return vector(first).withUnsafeBufferPointer {
        index.search(
          $0, k: 10, allowed: OrdinalFilter(words: start, bitCount: live.count), time: SystemTime(),
          scratch: scratch)
      }
    }
    return [
      GoldenQueries.Query(
        watched: [id(first)], expected: scratch.ordinals[0..<outcome.count].map { id(Int($0)) })
    ]
  }

  private func write(_ bytes: [UInt8], _ name: String, _ work: TestDirectory) throws {
    try bytes.withUnsafeBytes { try SystemDisk().write($0, to: "\(work.path)/\(name)", at: 0) }
  }

  /// Builds and opens in one step, with its own library.
  func open(in directory: TestDirectory = TestDirectory(), time: any TimeSource) throws -> Generation {
    let library = try SnapshotLibrary(
      directory: "\(directory.path)/\(UUID().uuidString)", disk: SystemDisk(),
      trusted: [Self.key.publicKey])
    let version = try build(in: library)
    return try Generation.open(try library.open(version.sequence), time: time)
  }
}
