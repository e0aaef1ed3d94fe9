import Base
import Catalogue
import Control
import Ranking
import Snapshots
import Testing

@Suite("Snapshot build")
struct SnapshotBuildTests {
  private static let key = TestFleet().key
  private let directory = TemporaryDirectory()

  private func workspace(
    _ name: String, titles: Int = 3000, profiles: Int = 60, changed: Double = 0, prefix: String = "syn-"
  ) throws -> String {
    let path = "\(directory.path)/\(name)"
    _ = try CatalogueGenerator(
      titleCount: titles, profileCount: profiles, seed: 3, idPrefix: prefix, changePercent: changed,
      changeSeed: 5
    ).write(to: path)
    return path
  }

  private func options(_ workspace: String, _ output: String = "out") -> SnapshotBuild.Options {
    var options = SnapshotBuild.Options(
      workspace: workspace, output: "\(directory.path)/\(output)", key: Self.key)
    options.policy = Array("{}".utf8)
    return options
  }

  private func build(_ options: SnapshotBuild.Options) throws -> BuildReport {
    try SnapshotBuild(options, time: ManualTime(now: TestFleet.start)).run()
  }

  private func library(_ output: String = "out") throws -> SnapshotLibrary {
    try SnapshotLibrary(
      directory: "\(directory.path)/\(output)", disk: SystemDisk(), trusted: [Self.key.publicKey])
  }

  private func view(_ snapshot: OpenSnapshot) throws -> CatalogueView {
    let tail = snapshot.segments(kind: "catalogue").first { $0.name == "tail" }
    return try CatalogueView(
      base: CataloguePart(opening: snapshot.segment(kind: "catalogue", name: "base"), name: "base"),
      tail: tail.map { try CataloguePart(opening: $0.mapped, name: "tail") },
      stat: CatalogueStat(opening: snapshot.segment(kind: "statistics", name: "all"), name: "stat"))
  }

  @Test("a full build has every segment, and a build after a small change keeps the base byte for byte")
  func fullThenIncremental() throws {
    var options = options(try workspace("one"))
    let first = try build(options)
    #expect(first.isFull && first.titleCount == 3000 && first.version.sequence == 1)
    #expect(first.version.manifest.isSynthetic)
    #expect(
      first.version.manifest.segments.map(\.key.description) == [
        "catalogue/base", "space/all", "vectors/base", "index/base", "statistics/all", "neighbours/base",
        "golden/all",
        "ranker/all",
        "features/all", "policy/all",
      ])
    #expect(first.version.manifest.space.hasPrefix("text-cowatch-128/"))

    options.workspace = try workspace("two", changed: 1)
    options.parent = 1
    options.policy = nil
    let second = try build(options)
    // The generator draws which titles change: about 30.
    #expect(!second.isFull && (10...60).contains(second.tailCount) && second.titleCount == 3000)
    #expect(second.version.sequence == 2 && second.version.manifest.parentDigest == first.version.digest)
    #expect(second.bytesShared + second.bytesNew == second.bytesTotal)
    let bases = [first, second].map { report in
      report.version.manifest.segments.filter { $0.name == "base" }.map(\.digest)
    }
    #expect(bases[0] == bases[1])
    // What must travel is the tails, the statistics and the golden queries, and nothing of the rest.
    let moved = second.version.manifest.segments.filter {
      $0.name == "tail" || ["statistics", "golden"].contains($0.kind)
    }
    #expect(second.bytesNew <= moved.reduce(0) { $0 + $1.byteCount })

    let library = try library()
    let (old, new) = (try view(library.open(1)), try view(library.open(2)))
    #expect(new.count == 3000 + second.tailCount && new.liveCount == 3000)
    var movedCount = 0
    for ordinal in 0..<UInt32(3000) {
      let id = old.id(ordinal)
      let now = try #require(new.ordinal(ofID: id))
      if now == ordinal {
        #expect(new.name(now) == old.name(ordinal))
      } else {
        movedCount += 1
        #expect(now >= 3000 && !new.isLive(ordinal))
      }
    }
    #expect(movedCount == second.tailCount)
  }

  @Test("the same workspace, seed and options give the same segments, whatever the threads")
  func deterministic() throws {
    let workspace = try workspace("one", titles: 1500)
    var digests: [[Digest]] = []
    for (output, threads) in [("a", 1), ("b", 2)] {
      var options = options(workspace, output)
      options.threads = threads
      digests.append(try build(options).version.manifest.segments.map(\.digest))
    }
    #expect(digests[0] == digests[1])
  }

  @Test("a build of the parent's own workspace has no tail and moves next to nothing")
  func unchanged() throws {
    var options = options(try workspace("one", titles: 1000))
    _ = try build(options)
    options.parent = 1
    let second = try build(options)
    #expect(!second.isFull && second.tailCount == 0 && second.bytesNew == 0)
    #expect(!second.version.manifest.segments.contains { $0.name == "tail" })
    #expect(second.line.contains("0.0 % new since 1") || second.line.contains("(0.0 %)"))
  }

  @Test("who watched the same stays as it was written until too much of it has changed, and then comes anew")
  func neighbours() throws {
    func neighbours(_ sequence: UInt64) throws -> (base: Digest, titles: TitleNeighbours, pairs: Int) {
      let snapshot = try library().open(sequence)
      let base = try snapshot.segment(kind: "neighbours", name: "base")
      let tail = snapshot.segments(kind: "neighbours").first { $0.name == "tail" }
      let titles = try TitleNeighbours(
        base: NeighbourBase.open(base, name: "base"),
        tail: tail.map { try NeighbourTail(opening: $0.mapped, name: "tail") })
      var pairs = 0
      for title in 0..<UInt32(titles.titleCount) { titles.forEach(of: title) { _, _ in pairs += 1 } }
      return (Digest(of: base.bytes), titles, pairs)
    }
    var options = options(try workspace("one", titles: 500, profiles: 300))
    _ = try build(options)
    options.parent = 1
    options.workspace = try workspace("two", titles: 500, profiles: 302, changed: 3)
    _ = try build(options)
    options.workspace = try workspace("three", titles: 500, profiles: 900, changed: 3)
    let third = try build(options)
    let all = try (1...3).map { try neighbours(UInt64($0)) }
    #expect(all[0].pairs > 0 && all[1].pairs > 0)
    #expect(all[1].base == all[0].base)
    #expect(!third.isFull && all[2].base != all[0].base && all[2].pairs > all[0].pairs)
    #expect(all[2].titles.titleCount == 500 + third.tailCount)
  }

  @Test("removed titles are dead, and a catalogue that is another one is built whole")
  func removedAndReplaced() throws {
    var options = options(try workspace("one", titles: 1000))
    _ = try build(options)
    options.parent = 1
    options.workspace = try workspace("fewer", titles: 980)
    let fewer = try build(options)
    #expect(fewer.titleCount == 980)
    options.parent = fewer.version.sequence
    options.workspace = try workspace("other", titles: 800, prefix: "other-")
    let other = try build(options)
    #expect(other.isFull && other.titleCount == 800 && other.version.manifest.parentSequence == 2)
    let view = try view(library().open(3))
    #expect(view.ordinal(ofID: view.id(0)) == 0 && view.count == 800)
  }

  @Test("what can't be built says why, and leaves the library as it was")
  func refusals() throws {
    let path = try workspace("one", titles: 200)
    var noPolicy = options(path)
    noPolicy.policy = nil
    var badRanker = options(path)
    badRanker.rankerPath = "\(path)/titles.jsonl"
    var badExpiry = options(path)
    badExpiry.expiryDays = 0
    for options in [noPolicy, badExpiry] {
      #expect { try build(options) } throws: { ($0 as? Fault)?.code == .invalidArgument }
    }
    #expect { try build(badRanker) } throws: { ($0 as? Refusal)?.code == .unreadable }
    var noParent = options(path)
    noParent.parent = 7
    #expect { try build(noParent) } throws: { ($0 as? Refusal)?.code == .truncated }
    #expect { try build(options("\(directory.path)/nowhere")) } throws: { $0 is CatalogueFault }
    #expect(try library().snapshots.isEmpty)
    #expect(try build(options(path)).version.sequence == 1)
    var again = options(path)
    again.sequence = 1
    #expect { try build(again) } throws: { ($0 as? Fault)?.code == .failedPrecondition }
    #expect(try SystemDisk().list("\(directory.path)/out/building").isEmpty)
  }

  @Test("a parent's ranker that wants features which candidates no longer have is refused before the work")
  func oldRanker() throws {
    let path = try workspace("one", titles: 200)
    _ = try build(options(path))
    let library = try library()
    let first = try library.open(1)
    // As the parent would be, had an earlier version of this builder made it.
    let names = Array(CandidateFeatures.names.prefix(10))
    let old = "\(directory.path)/old.ranker"
    try RankerParameters(
      features: names, shape: RankerShape(featureCount: 10, widths: [1]),
      means: names.map { _ in 0 }, scales: names.map { _ in 1 }, weights: [names.map { _ in 1 }],
      biases: [[0]]
    ).write(to: old)
    var sources: [SnapshotBuilder.Source] = []
    for segment in first.manifest.segments {
      let file = "\(directory.path)/\(segment.kind)-\(segment.name)"
      let mapped = try first.segment(kind: segment.kind, name: segment.name)
      try withExtendedLifetime(mapped) { try SystemDisk().write(mapped.bytes, to: file, at: 0) }
      sources.append(
        .init(kind: segment.kind, name: segment.name, path: segment.kind == "ranker" ? old : file))
    }
    var manifest = first.manifest
    (manifest.segments, manifest.sequence) = ([], 2)
    _ = try SnapshotBuilder(library: library, key: Self.key).build(manifest, from: sources)

    var options = options(path)
    options.parent = 2
    #expect { try build(options) } throws: { error in
      let fault = error as? Fault
      return fault?.code == .invalidArgument && fault?.message.contains("--ranker") == true
    }
    let given = "\(directory.path)/given.ranker"
    try DefaultRanker.parameters.write(to: given)
    options.rankerPath = given
    #expect(try build(options).version.sequence == 3)
  }

  @Test("golden queries name live titles, ten expected for each")
  func golden() throws {
    _ = try build(options(try workspace("one", titles: 1000)))
    let snapshot = try library().open(1)
    let view = try view(snapshot)
    let mapped = try snapshot.segment(kind: "golden", name: "all")
    let golden = try withExtendedLifetime(mapped) {
      try GoldenQueries(bytes: mapped.bytes, name: "golden/all")
    }
    #expect(golden.queries.count == GoldenQueries.queryCountMax)
    for query in golden.queries {
      #expect(query.expected.count == 10)
      for id in query.watched + query.expected { #expect(view.ordinal(ofID: id) != nil) }
    }
  }
}
